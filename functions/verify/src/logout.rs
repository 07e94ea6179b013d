//! `POST /auth/logout`: ends the session that the caller presents, at once and everywhere.

use faregate_domain::credential::bearer;
use faregate_domain::denial::Denial;
use faregate_edge::{cookie, input};
use faregate_gate::refusal;
use faregate_gate::session::SessionError;
use lambda_http::http::HeaderMap;
use lambda_http::http::header::AUTHORIZATION;
use lambda_http::{Body, Request, Response};

use crate::{App, Refusal};

impl App {
    pub(crate) async fn logout(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        let now = self.services.clock.now();
        let refused = |denial: &Denial| Refusal::from(refusal::problem(denial, now));
        input::bounded_body(request)?;
        let headers = request.headers();
        let token = match (find_bearer(headers).map_err(|denial| refused(&denial))?, cookie::find_session(headers)?) {
            (Some(bearer), None) => bearer,
            (Some(bearer), Some(cookie)) if bearer == cookie => bearer,
            (Some(_), Some(_)) => return Err(refused(&Denial::AmbiguousCredentials)),
            (None, Some(cookie)) => {
                let config = &self.services.config;
                let rule = config.policy.management().cookie_without_origin();
                cookie::check_own_origin(headers, &config.public_origin, rule)?;
                cookie
            }
            (None, None) => return Err(refused(&Denial::MissingCredentials)),
        };
        let claims = match self.sessions.verify_live(token, now).await {
            Ok(claims) => claims,
            Err(SessionError::Store(error)) => return Err(error.into()),
            Err(SessionError::InvalidToken(_) | SessionError::Ended) => return Err(refused(&Denial::InvalidToken)),
        };
        self.services.store.revoke_session(&claims.account, &claims.session).await?;
        let response = Response::builder().status(204).header("cache-control", "no-store");
        Ok(response.header("set-cookie", cookie::clear_session()).body(Body::Empty)?)
    }
}

/// The one bearer token among the authorization headers.
fn find_bearer(headers: &HeaderMap) -> Result<Option<&str>, Denial> {
    let mut found = None;
    for header in headers.get_all(AUTHORIZATION) {
        let text = header.to_str().map_err(|_| Denial::InvalidToken)?;
        match (bearer(text), found) {
            (None, _) => {}
            (Some(token), Some(earlier)) if token != earlier => return Err(Denial::AmbiguousCredentials),
            (token, _) => found = token,
        }
    }
    Ok(found)
}
