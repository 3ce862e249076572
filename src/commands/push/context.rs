//! [`Run`]: what the steps of a push share.

use super::{plan::Plan, server::Server};
use crate::{
    commands::{
        input::{contract_check, read_input},
        interrupts::{Interrupts, TimeLimit},
    },
    contract::Contract,
    delivery::DeliveryPolicy,
    diagnostics::Failure,
    input::ValidatedInput,
    report::Summary,
};

pub(super) struct Run<'p> {
    pub(super) plan: &'p Plan,
    pub(super) server: Server<'p>,
    pub(super) interrupts: Interrupts,
    /// The policy of the plan, with the deadline of this run.
    pub(super) policy: DeliveryPolicy,
    pub(super) summary: &'p mut Summary,
}

impl<'p> Run<'p> {
    /// Reads the certificate, key and header files, or starts the receiver of a rehearsal. From
    /// here on, a signal ends the run in an orderly way.
    pub(super) fn prepare(plan: &'p Plan, summary: &'p mut Summary) -> Result<Self, Failure> {
        let server = Server::prepare(plan)?;
        summary.server = Some(server.target.endpoint.to_string());
        let interrupts = Interrupts::listen(plan.max_time.map(|max_time| TimeLimit {
            max_time,
            deadline: summary.started + max_time,
        }))?;
        let policy = DeliveryPolicy {
            deadline: interrupts.deadline().map(Into::into),
            ..plan.policy.clone()
        };
        Ok(Self {
            plan,
            server,
            interrupts,
            policy,
            summary,
        })
    }

    /// Returns the contract that the records must fit into.
    pub(super) fn load_contract(&mut self) -> Result<Contract, Failure> {
        let (interrupts, terminal) = (&self.interrupts, self.plan.terminal);
        self.server
            .load_contract(&self.policy, interrupts, terminal)
    }

    /// Reads the whole input, and refuses it if a record is invalid.
    pub(super) fn validate(&mut self, contract: &Contract) -> Result<ValidatedInput, Failure> {
        let check = contract_check(contract, self.plan.batch_limits.max_bytes);
        read_input(
            &self.plan.input,
            Some(check),
            &self.interrupts,
            self.summary,
            self.plan.terminal,
        )
    }

    /// Checks that the receiver of a rehearsal has stored exactly the selected records.
    pub(super) fn verify_rehearsal(&self, input: &mut ValidatedInput) -> Result<(), Failure> {
        self.server
            .verify(input)
            .map_err(|failure| self.interrupts.failure().unwrap_or(failure))
    }
}
