//! This project's own gate, under the same terms: a lease per call, a limit of the route, the project's money and rate.

use aws_sdk_dynamodb::types::AttributeValue;
use faregate_domain::{cell::CellId, id::KeyId, policy::Policy, window::WindowLength};
use faregate_edge::now::Clock;
use faregate_tests::{Bundle, Caller, Link};
use serde_json::json;

use crate::design::{
    Books, CONCURRENT, Design, PER_DAY, PRICE_MICRO_USD, Verdict, key_quota, project_quota, route_quota,
};

#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) bundle: Bundle,
    service: Caller,
    key: Caller,
    cell: CellId,
}

impl Design for Gate {
    async fn open(link: Link, credit_micro_usd: u64) -> Self {
        let route = route_quota();
        let route = format!("per_minute: {}, burst: {}, settle: required", route.limit(), route.burst());
        let policy = Policy::DEFAULT_TEXT
            .replace(
                "cost_usd: \"0.10\", settle: required",
                &format!("cost_usd: \"{}\", {route}", usd(PRICE_MICRO_USD)),
            )
            .replace("credit_usd: \"5.00\"", &format!("credit_usd: \"{}\"", usd(credit_micro_usd)));
        let (bundle, service) = Bundle::with_service_behind(link, &policy).await;
        let limits = json!({
            "per_minute": key_quota().limit(), "burst": key_quota().burst(), "per_day": PER_DAY, "concurrent": CONCURRENT
        });
        let body = json!({"name": "a", "environment": "production", "limits": limits});
        let (_, id, key) = bundle.key_of_newcomer(body).await;
        let gate = Self { bundle, service, key, cell: CellId::Key(KeyId::parse(&id).unwrap()) };
        gate.rate_project().await;
        gate
    }

    fn clock(&self) -> &Clock {
        &self.bundle.clock
    }

    fn restarted(&self) -> Self {
        Self { bundle: self.bundle.restarted(), ..self.clone() }
    }

    async fn admit(&self) -> Verdict {
        let knock = self.bundle.knock(&self.key, "POST", "/demo/metered").await;
        match knock.status {
            200 => Verdict::Admitted(Some(knock.text("chargeId").to_owned())),
            402 | 429 => Verdict::Refused,
            503 => Verdict::Failed,
            status => panic!("the gate answered {status}"),
        }
    }

    async fn settle(&self, lease: String) {
        let answer = self.bundle.settle(&self.service, &lease, &json!({"outcome": "succeeded"})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn books(&self) -> Books {
        let cell = self.bundle.services.store.find_cell(&self.cell).await.unwrap().unwrap();
        // What is reserved is what an admitted call will cost here.
        let spent = cell.purse.spent().plus(cell.purse.reserved);
        Books { calls: cell.counters.requests, spent_micro_usd: spent.micro_usd() }
    }
}

impl Gate {
    /// Gives the project its rate.
    async fn rate_project(&self) {
        let store = &self.bundle.services.store;
        let project = store.find_cell(&self.cell).await.unwrap().unwrap().owner.project;
        let text = |text: String| AttributeValue::S(text);
        let client = self.bundle.link.client();
        let update = client.update_item().table_name(&self.bundle.services.config.table);
        let update = update.key("pk", text(project.to_string())).key("sk", text("wallet".into()));
        let mut update = update.update_expression("SET tl = :tl, tb = :tb, tc = :tc, tw = :tw, sv = :sv");
        let quota = project_quota();
        let values =
            [(":tl", quota.limit()), (":tb", quota.burst()), (":tc", quota.capacity()), (":tw", 60), (":sv", 1)];
        for (name, value) in values {
            update = update.expression_attribute_values(name, AttributeValue::N(value.to_string()));
        }
        update.send().await.unwrap();
        store.set_project_window(&self.cell, 1, Some(WindowLength::Minute)).await.unwrap();
    }
}

fn usd(micro_usd: u64) -> String {
    format!("{}.{:02}", micro_usd / 1_000_000, micro_usd % 1_000_000 / 10_000)
}
