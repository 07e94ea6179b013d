//! New data before old code, as far as it can be known: attributes that this code has never heard of, cells of a layout
//! that is not its own, tables that say another.

use std::collections::BTreeMap;

use faregate_edge::{
    config::{Config, SecretsLocation},
    now::Clock,
};
use faregate_gate::Services;
use serde_json::{Value, json};

use crate::{
    door::Door,
    fixture::Fixture,
    matrix::{LAYOUT, ask_again, differences},
    script::{Asker, ask},
};

fn name(item: &Value) -> (String, String) {
    let text = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
    (text("pk"), text("sk"))
}

fn by_name(items: &[Value]) -> BTreeMap<(String, String), &Value> {
    items.iter().map(|item| (name(item), item)).collect()
}

#[tokio::test]
async fn what_a_later_version_adds_to_any_item_changes_no_answer_and_outlives_every_write() {
    let fixture = Fixture::newest();
    let mut items = fixture.items.clone();
    for item in &mut items {
        item["later"] = json!({"S": "added by a later version"});
        item["lm"] = json!({"M": {"zz": {"N": "7"}, "x": {"S": "text"}}});
    }
    let (answers, left) = ask_again(&fixture, &items).await;
    assert_eq!(differences(&fixture.answers, &answers), [""; 0]);
    let left = by_name(&left);
    let mut changed = 0;
    for item in &items {
        let now = left.get(&name(item)).unwrap_or_else(|| panic!("{:?} is gone", name(item)));
        assert_eq!((&now["later"], &now["lm"]), (&item["later"], &item["lm"]), "{:?}", name(item));
        changed += usize::from(*now != item);
    }
    // Else nothing was written that could have lost them.
    assert!(changed > 20, "only {changed} items were written to");
}

#[tokio::test]
async fn a_cell_of_another_layout_is_neither_decided_on_nor_written_to() {
    let fixture = Fixture::newest();
    for version in [LAYOUT - 1, LAYOUT + 1] {
        let mut items = fixture.items.clone();
        items.iter_mut().filter(|item| item["sk"]["S"] == "cell" && item["h"] != Value::Null).for_each(|cell| {
            cell["v"] = json!({"N": version.to_string()});
        });
        let door = Door::here(fixture.now()).await;
        door.fill(&items).await;
        let mut asker = Asker { door: &door, names: fixture.names.clone() };
        asker.sign_in("owner").await;
        for (who, what, body) in [
            ("plain", "GET /demo/free", ""),
            ("plain", "POST /demo/paid", "{}"),
            ("rotated_old", "GET /demo/free", ""),
            ("revoked", "GET /demo/free", ""),
            ("late", "GET /demo/free", ""),
            ("owner", "GET /v1/api-keys/{plain_id}", ""),
            ("owner", "PATCH /v1/api-keys/{plain_id}", r#"{"name":"renamed"}"#),
            ("owner", "PATCH /v1/api-keys/{plain_id}", r#"{"frozen":true}"#),
            ("owner", "POST /v1/api-keys/{plain_id}/rotate", "{}"),
            ("owner", "DELETE /v1/api-keys/{plain_id}", ""),
            ("plain", "DELETE /v1/api-keys/self", ""),
        ] {
            let answer = asker.send(&ask(who, what, body)).await;
            assert!(answer.status >= 500, "{who} {what}: {} {}", answer.status, answer.text);
        }
        let left = door.items().await;
        let left = by_name(&left);
        let version = json!({"N": version.to_string()});
        for cell in items.iter().filter(|item| item["v"] == version) {
            assert_eq!(left[&name(cell)], cell);
        }
        door.stop().await;
    }
}

#[tokio::test]
async fn sessions_of_another_layout_let_nobody_in_and_end_for_nobody() {
    let fixture = Fixture::newest();
    let door = Door::here(fixture.now()).await;
    door.fill(&fixture.items).await;
    let mut asker = Asker { door: &door, names: fixture.names.clone() };
    asker.sign_in("owner").await;
    let mut cells: Vec<Value> = door.items().await.into_iter().filter(|item| item["se"] != Value::Null).collect();
    for cell in &mut cells {
        cell["v"] = json!({"N": (LAYOUT + 1).to_string()});
    }
    door.fill(&cells).await;
    for what in ["GET /demo/free", "GET /v1/me", "POST /auth/logout"] {
        let answer = asker.send(&ask("owner", what, "")).await;
        assert!(answer.status >= 500, "{what}: {} {}", answer.status, answer.text);
    }
    let left = door.items().await;
    let left = by_name(&left);
    for cell in &cells {
        assert_eq!(left[&name(cell)], cell);
    }
    door.stop().await;
}

#[tokio::test]
async fn a_table_of_an_older_or_a_newer_layout_is_refused_by_name() {
    let fixture = Fixture::newest();
    for version in [LAYOUT - 1, LAYOUT + 1] {
        let door = Door::here(fixture.now()).await;
        door.fill(&[json!({"pk": {"S": "layout"}, "sk": {"S": "layout"}, "v": {"N": version.to_string()}})]).await;
        let services = services(&door, "faregate");
        for refused in [services.warm_up(&[]).await, services.claim_layout().await] {
            let error = refused.unwrap_err().to_string();
            let wanted =
                format!("table faregate in us-east-1 has layout {version}, and this version reads layout {LAYOUT}");
            assert!(error.starts_with(&wanted), "{error}");
        }
        door.stop().await;
    }
}

#[tokio::test]
async fn a_table_that_was_used_before_tables_said_their_layout_is_refused() {
    let fixture = Fixture::newest();
    let door = Door::here(fixture.now()).await;
    let items: Vec<_> = fixture.items.iter().filter(|item| item["pk"]["S"] != "layout").cloned().collect();
    door.fill(&items).await;
    let services = services(&door, "faregate");
    services.warm_up(&[]).await.unwrap();
    door.forget("layout", "layout").await;
    let error = services.claim_layout().await.unwrap_err().to_string();
    assert!(error.starts_with("table faregate in us-east-1 was written before tables said their layout"), "{error}");
    assert!(door.items().await.iter().all(|item| item["pk"]["S"] != "layout"), "it was claimed");
    door.stop().await;
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named_with_its_region() {
    let door = Door::here(Fixture::newest().now()).await;
    let error = services(&door, "elsewhere").warm_up(&[]).await.unwrap_err().to_string();
    let wanted = "table elsewhere in us-east-1 does not answer: dynamodb get failed: ResourceNotFoundException";
    assert!(error.starts_with(wanted), "{error}");
    door.stop().await;
}

fn services(door: &Door, table: &str) -> Services {
    let config = Config {
        table: table.into(),
        public_origin: door.url.clone(),
        chain_id: 1,
        secrets: SecretsLocation::File("none".into()),
        policy: faregate_edge::config::policy(None, None).unwrap(),
        reach: faregate_domain::outbound::Reach::Public,
    };
    Services::connect_local(config, door.table_url(), Clock::standing_at(door.now()))
}
