//! [`Run`]: what the steps of a push share.

use super::plan::{Destination, Plan};
use crate::{
    client::Target,
    commands::{
        input::{contract_check, read_input},
        interrupts::{Interrupts, TimeLimit},
        rehearsal::Rehearsal,
    },
    contract::Contract,
    delivery::DeliveryPolicy,
    diagnostics::Failure,
    input::ValidatedInput,
    ledger::TargetKey,
    report::Summary,
};

pub(super) struct Run<'p> {
    pub(super) plan: &'p Plan,
    pub(super) server: Server,
    pub(super) interrupts: Interrupts,
    /// The policy of the plan, with the deadline of this run.
    pub(super) policy: DeliveryPolicy,
    pub(super) summary: &'p mut Summary,
}

/// A real server, or the receiver of a rehearsal.
pub(super) struct Server {
    pub(super) target: Target,
    /// The contract of the requests. The receiver of a rehearsal implements only the built-in one.
    pub(super) contract: Contract,
    rehearsal: Option<Rehearsal>,
}

impl<'p> Run<'p> {
    /// Installs the signal handlers, to which all steps up to the end of the delivery react. Then
    /// reads the certificate, key and header files, or starts the receiver of a rehearsal.
    pub(super) fn prepare(plan: &'p Plan, summary: &'p mut Summary) -> Result<Self, Failure> {
        let interrupts = Interrupts::listen(plan.max_time.map(|max_time| TimeLimit {
            max_time,
            deadline: summary.started + max_time,
        }))?;
        let (target, rehearsal) = match &plan.destination {
            Destination::Server(connection) => {
                let target = connection.target(plan.timeouts, &interrupts.wait_to_read());
                (target.map_err(|failure| interrupts.explain(failure))?, None)
            }
            Destination::Rehearsal(_) => {
                let rehearsal = Rehearsal::start(plan.timeouts)?;
                (rehearsal.target.clone(), Some(rehearsal))
            }
        };
        summary.server = Some(target.endpoint.to_string());
        let policy = DeliveryPolicy {
            deadline: interrupts.deadline().map(Into::into),
            ..plan.policy.clone()
        };
        let server = Server {
            target,
            contract: Contract::built_in(),
            rehearsal,
        };
        Ok(Self {
            plan,
            server,
            interrupts,
            policy,
            summary,
        })
    }

    /// Returns the contract that the records must fit into. In a rehearsal this may be a contract
    /// from `--proto` or `--protoset`, which the receiver does not implement.
    pub(super) fn load_contract(&mut self) -> Result<Contract, Failure> {
        let contract = match &self.plan.destination {
            Destination::Server(connection) => &connection.contract,
            Destination::Rehearsal(contract) => contract,
        };
        let (server, terminal) = (&mut self.server, self.plan.terminal);
        let contract = contract.load(&server.target, &self.policy, &self.interrupts, terminal)?;
        if server.rehearsal.is_none() {
            server.contract = contract.clone();
        }
        Ok(contract)
    }

    pub(super) fn validate(&mut self, contract: &Contract) -> Result<ValidatedInput, Failure> {
        let plan = self.plan;
        let check = contract_check(contract, plan.batch_limits.max_bytes);
        let (interrupts, summary) = (&self.interrupts, &mut *self.summary);
        read_input(&plan.input, Some(check), interrupts, summary, plan.terminal)
    }

    /// Returns `None` for a rehearsal, whose receiver has acknowledged nothing in earlier pushes.
    pub(super) fn ledger_key(&self) -> Option<TargetKey> {
        let server = &self.server;
        server.rehearsal.is_none().then(|| TargetKey {
            authority: server.target.authority.to_string(),
            method: server.contract.path.to_string(),
        })
    }

    pub(super) fn verify_rehearsal(&self, input: &mut ValidatedInput) -> Result<(), Failure> {
        match &self.server.rehearsal {
            Some(rehearsal) => rehearsal.verify(input),
            None => Ok(()),
        }
    }
}
