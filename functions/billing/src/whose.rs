//! Whose money is asked about: the caller's own, or, where an operator asks, that of the account which `account_id` names.

use faregate_domain::id::{AccountId, ProjectId};
use faregate_edge::{page, problem::Problem};
use faregate_gate::{Caller, management::Refusal};
use lambda_http::Request;

use crate::App;

/// An account, or one project of it.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    /// The account.
    pub(crate) account: AccountId,
    /// The one project that the caller may know of, where it is a key.
    pub(crate) project: Option<ProjectId>,
}

impl App {
    /// Whose money the request asks about. To anybody but an operator no account exists beside the own one.
    pub(crate) async fn whose(&self, request: &Request, caller: &Caller) -> Result<Whose, Refusal> {
        let wanted = page::parameter(request, ACCOUNT)?.map(|text| AccountId::parse(&text)).transpose();
        let wanted = wanted.map_err(|_| Problem::invalid_field(ACCOUNT, "must be the id of an account"))?;
        match wanted.filter(|account| *account != caller.account) {
            None => Ok(Whose {
                account: caller.account.clone(),
                project: caller.key().map(|cell| cell.owner.project.clone()),
            }),
            Some(account) if caller.is_operator => {
                self.services().store.find_account(&account).await?.ok_or_else(Problem::not_found)?;
                Ok(Whose { account, project: None })
            }
            Some(_) => Err(Problem::not_found().into()),
        }
    }
}

impl Whose {
    /// What a cursor of that list is good for.
    pub(crate) fn question(&self, list: &str, caller: &Caller) -> String {
        let project = self.project.as_ref().map_or("", ProjectId::suffix);
        format!("{list}\0{}\0{}\0{project}", caller.account, self.account)
    }
}

pub(crate) const ACCOUNT: &str = "account_id";
