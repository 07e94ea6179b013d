//! `POST /auth/verify`: a nonce and a signature become an access token.

use std::sync::Arc;

use faregate_domain::id::{AccountId, SessionId};
use faregate_domain::time::Timestamp;
use faregate_domain::wallet::{Address, Expectation, Message, Nonce, Signature, SignatureError};
use faregate_edge::problem::Problem;
use faregate_edge::token::{AccessToken, SessionClaims, SigningKey, TOKEN_LIFETIME_SECONDS};
use faregate_edge::{cookie, entropy, input};
use lambda_http::{Body, Request, Response};
use serde::Deserialize;
use serde_json::json;

use crate::{App, Failure, Refusal};

impl App {
    pub(crate) async fn login(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let body: Login = input::json(request)?;
        let address: Address =
            body.address.parse().map_err(|error| Problem::new(400, "invalid_address", format!("address: {error}")))?;
        let nonce: Nonce = body.nonce.parse().map_err(|_| invalid_signature())?;
        let now = self.services.clock.now();
        // The signing key is fetched and published first, so that an outage of the secrets does not cost a nonce.
        let key = self.signer.key(now).await?;
        let session = SessionId::mint(&mut entropy::fill);
        let signed = self.signed_text(&body, address, &nonce, &session, now).await?;
        let signature: Signature = body.signature.parse().map_err(refusal_of)?;
        if signature.recover(&signed).map_err(refusal_of)? != address {
            return Err(invalid_signature().into());
        }
        let account = self.account_of(address, now).await?;
        let expires_at = now.plus_s(TOKEN_LIFETIME_SECONDS);
        self.begin_session(&account, &session, expires_at, now).await?;
        let chain_id = self.services.config.chain_id;
        let claims = SessionClaims { account, address, chain_id, session, issued_at: now, expires_at };
        Ok(self.welcome(&key, &claims)?)
    }

    /// Uses the nonce up, and only then looks at what was signed: the text handed out with the nonce, or the client's
    /// own if it says the same.
    async fn signed_text(
        &self,
        body: &Login,
        address: Address,
        nonce: &Nonce,
        session: &SessionId,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let issued = self.services.store.consume_nonce(nonce, session, now).await?.ok_or_else(invalid_signature)?;
        if issued.address != address {
            return Err(invalid_signature().into());
        }
        let Some(text) = &body.message else { return Ok(issued.message) };
        let message: Message = text.parse().map_err(|_| invalid_signature())?;
        let expected = Expectation { party: &self.party, address, nonce, now };
        message.check(&expected).map_err(|_| invalid_signature())?;
        Ok(text.clone())
    }

    async fn begin_session(
        &self,
        account: &AccountId,
        session: &SessionId,
        end: Timestamp,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let store = &self.services.store;
        for _ in 0..MAX_ATTEMPTS {
            let sessions = store.find_sessions(account).await?.unwrap_or_default();
            if store.insert_session(account, session, end, &sessions.displaced(now)).await? {
                return Ok(());
            }
        }
        Err(Failure::Contended { item: "session cell" })
    }

    fn welcome(&self, key: &Arc<SigningKey>, claims: &SessionClaims) -> Result<Response<Body>, Failure> {
        let token: AccessToken = key.sign(claims, &self.issuance)?;
        let data = json!({"data": {
            "access_token": token.expose(),
            "token_type": "bearer",
            "expires_in": TOKEN_LIFETIME_SECONDS,
            "account_id": claims.account.to_string(),
        }});
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("cache-control", "no-store")
            .header("set-cookie", cookie::set_session(&token, TOKEN_LIFETIME_SECONDS));
        Ok(response.body(Body::Text(data.to_string()))?)
    }
}

/// The request's body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    address: String,
    signature: String,
    nonce: String,
    #[serde(default, deserialize_with = "input::present")]
    message: Option<String>,
}

fn refusal_of(error: SignatureError) -> Refusal {
    match error {
        SignatureError::Invalid => invalid_signature().into(),
        SignatureError::UnsupportedWallet => {
            challenge("unsupported_wallet", "Contract wallets cannot sign in; use a wallet that holds its own key.")
                .into()
        }
    }
}

/// One answer to whatever is wrong with an attempt to sign in: it tells nobody which guess was closer.
fn invalid_signature() -> Problem {
    challenge("invalid_signature", "The sign-in could not be verified; ask for a new nonce.")
}

fn challenge(code: &'static str, detail: &str) -> Problem {
    Problem::new(401, code, detail).with_header("www-authenticate", "Bearer realm=\"faregate\"")
}

/// Every lost race is another login of the same wallet at the same moment.
const MAX_ATTEMPTS: u32 = 32;
