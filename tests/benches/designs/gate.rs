//! This project's own gate, under the same terms as far as it has them.

use faregate_domain::{cell::CellId, id::KeyId, policy::Policy};
use faregate_edge::now::Clock;
use faregate_tests::{Bundle, Caller, Link};
use serde_json::json;

use crate::design::{Books, CONCURRENT, Design, PER_DAY, PRICE_MICRO_USD, Verdict, key_quota, route_quota};

/// What the row may not be compared in.
pub(crate) const LACKS: &str = "no lease and no project rate yet";

#[derive(Clone)]
pub(crate) struct Gate {
    bundle: Bundle,
    key: Caller,
    cell: CellId,
}

impl Design for Gate {
    async fn open(link: Link, credit_micro_usd: u64) -> Self {
        let route = route_quota();
        let route = format!("per_minute: {}, burst: {}, refusals: backend }}", route.limit(), route.burst());
        let price = format!("cost_usd: \"{}\", ", usd(PRICE_MICRO_USD));
        let policy = Policy::DEFAULT_TEXT
            .replace("cost_usd: \"0.01\", refusals: backend }", &(price + &route))
            .replace("credit_usd: \"5.00\"", &format!("credit_usd: \"{}\"", usd(credit_micro_usd)));
        let bundle = Bundle::behind(link, &policy, None).await;
        let limits = json!({
            "per_minute": key_quota().limit(), "burst": key_quota().burst(), "per_day": PER_DAY, "concurrent": CONCURRENT
        });
        let body = json!({"name": "a", "environment": "production", "limits": limits});
        let (_, id, key) = bundle.key_of_newcomer(body).await;
        Self { bundle, key, cell: CellId::Key(KeyId::parse(&id).unwrap()) }
    }

    fn clock(&self) -> &Clock {
        &self.bundle.clock
    }

    fn restarted(&self) -> Self {
        Self { bundle: self.bundle.restarted(), ..self.clone() }
    }

    async fn admit(&self) -> Verdict {
        match self.bundle.knock(&self.key, "POST", "/demo/paid").await.status {
            200 => Verdict::Admitted(None),
            402 | 429 => Verdict::Refused,
            503 => Verdict::Failed,
            status => panic!("the gate answered {status}"),
        }
    }

    async fn settle(&self, _lease: String) {}

    async fn books(&self) -> Books {
        let cell = self.bundle.services.store.find_cell(&self.cell).await.unwrap().unwrap();
        Books { calls: cell.counters.requests, spent_micro_usd: cell.purse.spent().micro_usd() }
    }
}

fn usd(micro_usd: u64) -> String {
    format!("{}.{:02}", micro_usd / 1_000_000, micro_usd % 1_000_000 / 10_000)
}
