//! [`Server`]: the server of a push, which is real or the receiver of a rehearsal.

use super::plan::{Destination, Plan};
use crate::{
    client::Target,
    commands::{contract::ContractPlan, interrupts::Interrupts, rehearsal::Rehearsal},
    contract::Contract,
    delivery::DeliveryPolicy,
    diagnostics::Failure,
    input::ValidatedInput,
    ledger::TargetKey,
    terminal::Terminal,
};

pub(super) struct Server<'p> {
    pub(super) target: Target,
    /// The contract of the requests.
    pub(super) contract: Contract,
    contract_plan: &'p ContractPlan,
    /// `None` for a real server.
    rehearsal: Option<Rehearsal>,
}

impl<'p> Server<'p> {
    pub(super) fn prepare(plan: &'p Plan) -> Result<Self, Failure> {
        let (target, contract_plan, rehearsal) = match &plan.destination {
            Destination::Server(connection) => {
                let target = connection.target(plan.timeouts)?;
                (target, &connection.contract, None)
            }
            Destination::Rehearsal(contract_plan) => {
                let rehearsal = Rehearsal::start()?;
                let target = rehearsal.target(plan.timeouts);
                (target, contract_plan, Some(rehearsal))
            }
        };
        Ok(Self {
            target,
            contract: Contract::built_in(),
            contract_plan,
            rehearsal,
        })
    }

    /// Returns the contract that the records must fit into. In a rehearsal, it is the contract of
    /// the real server, although the receiver of the rehearsal implements only the built-in one.
    pub(super) fn load_contract(
        &mut self,
        policy: &DeliveryPolicy,
        interrupts: &Interrupts,
        terminal: Terminal,
    ) -> Result<Contract, Failure> {
        let contract = self
            .contract_plan
            .load(&self.target, policy, interrupts, terminal)?;
        if self.rehearsal.is_none() {
            self.contract = contract.clone();
        }
        Ok(contract)
    }

    /// Returns the key of this server in a ledger. Returns `None` for a rehearsal, whose receiver
    /// has acknowledged nothing in earlier pushes.
    pub(super) fn ledger_key(&self) -> Option<TargetKey> {
        self.rehearsal.is_none().then(|| TargetKey {
            authority: self.target.authority.to_string(),
            method: self.contract.path.to_string(),
        })
    }

    /// Checks that the receiver of a rehearsal has stored exactly the selected records.
    pub(super) fn verify(&self, input: &mut ValidatedInput) -> Result<(), Failure> {
        match &self.rehearsal {
            Some(rehearsal) => rehearsal.verify(input),
            None => Ok(()),
        }
    }
}
