//! `POST /v1/client-sessions/redeem`: a client secret for its session's token, once.

use faregate_domain::{
    base62,
    cell::{Cell, CellId},
    client_session::{ClientSecret, InvalidClientSecret, Unredeemable},
    denial::Denial,
    id::ClientSessionId,
    origin::Origin,
    policy::cors::Admitted,
    scope::Grant,
    time::Timestamp,
};
use faregate_edge::{client_token::ClientToken, entropy, input, problem::Problem, secrets::SecretName};
use faregate_gate::{
    management::{Data, Failure, Refusal, answer, respond},
    refusal,
};
use faregate_store::StoredClientSession;
use lambda_http::{Body, Request, Response};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::{App, body::RedeemBody, browser, end::too_many};

impl App {
    /// Answers a redemption, whatever becomes of it, so that a page may read it.
    pub(crate) async fn answer_redemption(&self, request: &Request) -> Response<Body> {
        let mut admitted = Admitted::Anywhere;
        let answered = self.redeem(request, &mut admitted).await;
        let mut response = respond(request, answered, self.services().config.policy.dialect());
        self.add_cors(request, admitted, response.headers_mut());
        response
    }

    /// Uses the secret up. All that has to do with it is refused in one and the same way: junk, and one that was used, has
    /// expired or whose key is over.
    async fn redeem(&self, request: &Request, admitted: &mut Admitted) -> Result<Response<Body>, Refusal> {
        let body: RedeemBody = input::json(request)?;
        let now = self.services().clock.now();
        let Some((secret, id)) = self.parse(body.client_secret.expose_secret(), now).await? else {
            return Err(invalid_secret().into());
        };
        let origin = browser::origin(request.headers());
        let attempt = base62::random(ATTEMPT_CHARS, &mut entropy::fill);
        let store = &self.services().store;
        for _ in 0..MAX_ROUNDS {
            let now = self.services().clock.now();
            let stored = store.find_client_session(&id).await?.ok_or_else(invalid_secret)?;
            if stored.secret != secret.hash() {
                return Err(invalid_secret().into());
            }
            let cell = store.find_cell(&CellId::Key(stored.session.key.clone())).await?;
            check(&stored, cell.as_ref(), origin.as_ref(), now, admitted)?;
            let tabs = cell.map(|cell| cell.tabs).unwrap_or_default();
            if store.redeem_client_session(&stored, &attempt, &tabs, now).await? {
                return self.token(&stored, now).await;
            }
        }
        Err(Failure::Contended { item: "session" }.into())
    }

    async fn parse(&self, text: &str, now: Timestamp) -> Result<Option<(ClientSecret, ClientSessionId)>, Refusal> {
        let secrets = &self.services().secrets;
        let link = secrets.find(SecretName::Link, now).await?;
        Ok(match ClientSecret::parse(text, &link) {
            // The tags' secret may just have been rotated; asking again is bounded in the secrets' own cache.
            Err(InvalidClientSecret::Tag) => {
                let link = secrets.find_fresh(SecretName::Link, now).await?;
                ClientSecret::parse(text, &link).ok()
            }
            other => other.ok(),
        })
    }

    async fn token(&self, stored: &StoredClientSession, now: Timestamp) -> Result<Response<Body>, Refusal> {
        let (services, session) = (self.services(), &stored.session);
        let link = services.secrets.find(SecretName::Link, now).await?;
        let token = ClientToken::sign(&session.pass(now), &link.current, &services.config.public_origin);
        // It was found to fit when the session was made.
        let token = token.map_err(|_| Failure::Missing { item: "room for the token" })?;
        tracing::info!(key = %session.key, session = %session.id, "client session redeemed");
        let view = TokenView {
            access_token: token.expose(),
            token_type: "bearer",
            expires_in: now.seconds_until(session.end),
            expires_at: session.end.to_string(),
            client_session_id: session.id.to_string(),
            scopes: session.grants.iter().map(Grant::as_str).collect(),
        };
        answer(200, serde_json::to_string(&Data { data: view })?)
    }
}

/// What a frontend gets for its secret.
#[derive(Serialize)]
struct TokenView<'t> {
    access_token: &'t str,
    token_type: &'static str,
    expires_in: u64,
    expires_at: String,
    client_session_id: String,
    scopes: Vec<&'t str>,
}

fn check(
    stored: &StoredClientSession,
    cell: Option<&Cell>,
    origin: Option<&Origin>,
    now: Timestamp,
    admitted: &mut Admitted,
) -> Result<(), Problem> {
    let redeemable = stored.session.check_redeemable(cell, origin, now);
    let has_list = stored.session.allowlist.is_some() || cell.is_some_and(|cell| cell.allowlist.is_some());
    *admitted = match redeemable {
        Err(Unredeemable::Origin) => Admitted::Elsewhere,
        Ok(()) | Err(Unredeemable::Full { .. }) if has_list => Admitted::There,
        Ok(()) | Err(Unredeemable::Full { .. } | Unredeemable::Secret) => Admitted::Anywhere,
    };
    redeemable.map_err(|refused| match refused {
        Unredeemable::Secret => invalid_secret(),
        Unredeemable::Origin => refusal::problem(&Denial::OriginNotAllowed, now),
        Unredeemable::Full { retry_at } => {
            too_many("As many sessions with a ceiling are open as the key can have; try again later.", retry_at, now)
        }
    })
}

fn invalid_secret() -> Problem {
    Problem::new(401, "invalid_client_secret", "The client secret is not valid, was used, or has expired.")
        .with_header("www-authenticate", r#"Bearer realm="faregate", error="invalid_token""#)
}

/// 130 bits: nobody else's attempt has the name.
const ATTEMPT_CHARS: usize = 22;
const MAX_ROUNDS: u32 = 8;
