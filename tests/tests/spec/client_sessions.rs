//! Client sessions: a backend makes one, a frontend redeems it once, and what is done under it is its key's.

mod browsers;
mod ceiling;
mod gate;
mod making;
mod racing;
mod redeeming;

use faregate_tests::{Answer, Bundle, Caller, Session};
use serde_json::{Value, json};

/// A bundle, and a key in it that may make sessions.
pub(crate) struct Scene {
    pub(crate) bundle: Bundle,
    pub(crate) service: Caller,
    pub(crate) owner: Session,
    pub(crate) id: String,
    pub(crate) key: Caller,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(json!({"name": "a"})).await
    }

    /// The same with a key of other settings.
    pub(crate) async fn with(mut key: Value) -> Self {
        if key.get("scopes").is_none() {
            key["scopes"] = json!(["demo:*", "sessions:write"]);
        }
        let (bundle, service) = Bundle::with_service().await;
        let (owner, id, key) = bundle.key_of_newcomer(key).await;
        Self { bundle, service, owner, id, key }
    }

    /// The answer to a session being made with these settings.
    pub(crate) async fn create(&self, settings: Value) -> Answer {
        let mut body = json!({"client_reference_id": "user-42"});
        body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        self.bundle.post(PATH, &self.key, &body).await
    }

    /// A session's id and its secret.
    pub(crate) async fn made(&self, settings: Value) -> (String, String) {
        let answer = self.create(settings).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let data = &answer.body["data"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&data["session"]["id"]), text(&data["client_secret"]["secret"]))
    }

    /// A session's id and its token as a caller.
    pub(crate) async fn redeemed(&self, settings: Value) -> (String, Caller) {
        let (id, secret) = self.made(settings).await;
        let answer = redeem(&self.bundle, &secret).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.data("client_session_id"), id);
        (id, Caller::Bearer(answer.data("access_token").to_owned()))
    }

    /// What the backend is told of a session.
    pub(crate) async fn read(&self, id: &str) -> Value {
        let answer = self.bundle.get(&format!("{PATH}/{id}"), &self.key).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["data"].clone()
    }

    pub(crate) async fn end(&self, id: &str) -> Answer {
        self.bundle.delete(&format!("{PATH}/{id}"), &self.key).await
    }

    pub(crate) async fn knock(&self, caller: &Caller, method: &str, path: &str) -> (u16, String) {
        let knock = self.bundle.knock(caller, method, path).await;
        (knock.status, knock.code)
    }

    pub(crate) async fn change_key(&self, change: Value) {
        let answer = self.bundle.patch(&format!("/v1/api-keys/{}", self.id), &self.owner.caller(), &change).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub(crate) async fn revoke_key(&self) {
        let answer = self.bundle.delete(&format!("/v1/api-keys/{}", self.id), &self.owner.caller()).await;
        assert_eq!(answer.status, 204);
    }

    /// The key's item as the table has it.
    pub(crate) fn item(&self) -> Value {
        self.bundle.link.item(&self.bundle.services.config.table, &self.id, "cell")
    }
}

pub(crate) async fn redeem(bundle: &Bundle, secret: &str) -> Answer {
    redeem_from(bundle, secret, None).await
}

/// The same from a page of that origin.
pub(crate) async fn redeem_from(bundle: &Bundle, secret: &str, origin: Option<&str>) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(origin.map(|origin| ("origin", origin)));
    let body = json!({"client_secret": secret}).to_string();
    bundle.send_with("POST", REDEEM, &headers, Some(&body)).await
}

pub(crate) fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

pub(crate) const PATH: &str = "/v1/client-sessions";
pub(crate) const REDEEM: &str = "/v1/client-sessions/redeem";
