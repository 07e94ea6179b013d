//! Signed URLs: made for whoever could make the call itself, and decided by what stands in them and a secret in memory,
//! without a look at the table.

use faregate_domain::{
    attempt::permit,
    denial::Denial,
    policy::{Method, RequestPath, Route, Sessions},
    query::Query,
    signed_url::{Presented, SignedUrl, Terms},
    time::Timestamp,
};
use faregate_edge::secrets::SecretName;
use lambda_http::Request as HttpRequest;

use crate::{Call, Caller, Decision, Gate, GateError, caller, decision::Principal};

/// What somebody wants to hand out.
#[derive(Clone, Debug)]
pub struct UrlWish {
    /// The call's method.
    pub method: Method,
    /// Its path.
    pub path: RequestPath,
    /// Its query.
    pub query: Query,
    /// The route that it belongs to, which takes signed URLs.
    pub route: Route,
    /// For how long, in seconds.
    pub ttl_seconds: u64,
}

/// A URL to hand out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// The whole URL, signature included.
    pub url: String,
    /// Path and query as they are signed.
    pub target: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Gate {
    /// Signs a URL for a caller that could make the call itself, until no later than the caller's own end.
    ///
    /// # Errors
    /// Inside, the [`Denial`] that the caller would meet at the gate; outside, [`GateError`] where a part failed.
    pub async fn sign_url(
        &self,
        caller: &Caller,
        request: &HttpRequest,
        wish: UrlWish,
        now: Timestamp,
    ) -> Result<Result<HandedOut, Denial>, GateError> {
        let (config, cell) = (&self.services().config, &caller.cell);
        if caller.key().is_none() && config.policy.sessions() == Sessions::Refused {
            return Ok(Err(Denial::MissingCredentials));
        }
        let origin = caller::origin(request);
        let UrlWish { method, path, query, route, ttl_seconds } = wish;
        if let Err(denial) = permit(cell, &route.scope, origin.as_ref()) {
            return Ok(Err(denial));
        }
        if !route.is_open_to(&cell.owner.environment) {
            return Ok(Err(Denial::ForbiddenEnvironment));
        }
        let own_end = cell.expires_in_seconds(caller.secret, now).unwrap_or(u64::MAX);
        let terms = Terms {
            cell: caller.id.clone(),
            owner: cell.owner.clone(),
            expires_at: Timestamp::from_epoch_s(now.plus_s(ttl_seconds.min(own_end)).epoch_s()),
            // Whoever is bound to some origins hands nothing out to others.
            origin: origin.filter(|_| cell.allowlist.is_some()),
        };
        let secret = self.services().secrets.find(SecretName::Link, now).await?;
        let (scope, expires_at) = (route.scope, terms.expires_at);
        let signed = SignedUrl { method, path, query, scope, terms };
        let url = format!("{}{}", config.public_origin, signed.target(&secret.current));
        Ok(Ok(HandedOut { url, target: signed.bare_target(), expires_at }))
    }

    /// Decides a request with a signature in its URL. It takes nothing and counts nowhere, whichever way it ends.
    pub(crate) async fn decide_signed(
        &self,
        call: &Call<'_>,
        route: &Route,
        now: Timestamp,
    ) -> Result<Decision, GateError> {
        let refused = |denial| Ok(Decision::refused_unread(now, route.refusals, denial));
        // The gate does not choose between a signature and a credential.
        match &call.credential {
            Err(Denial::MissingCredentials) => {}
            Ok(_) => return refused(Denial::AmbiguousCredentials),
            Err(denial) => return refused(denial.clone()),
        }
        let terms = self.find_terms(call, route, now).await?;
        let Some(terms) = terms.filter(|terms| !terms.is_overlong(now)) else {
            return refused(Denial::InvalidSignedUrl);
        };
        if terms.is_over(now) {
            return refused(Denial::SignedUrlExpired);
        }
        if !terms.admits(call.request.origin().as_ref()) {
            return refused(Denial::OriginNotAllowed);
        }
        if !route.is_open_to(&terms.owner.environment) {
            return refused(Denial::ForbiddenEnvironment);
        }
        let principal =
            Principal { cell: terms.cell, owner: terms.owner, scopes: route.scope.to_string(), session: None };
        Ok(Decision::signed(now, route.refusals, principal))
    }

    /// The terms of a request's signature; `None` where it is none of ours, or the route takes none.
    async fn find_terms(&self, call: &Call<'_>, route: &Route, now: Timestamp) -> Result<Option<Terms>, GateError> {
        let request = call.request;
        let (Ok(method), Ok(path)) = (Method::parse(&request.method), RequestPath::parse(&request.path)) else {
            return Ok(None);
        };
        if !route.takes_signed_urls() {
            return Ok(None);
        }
        let presented = Presented { method: &method, path: &path, query: &request.query, scope: &route.scope };
        let secrets = &self.services().secrets;
        let known = secrets.find(SecretName::Link, now).await?;
        if let Ok(terms) = presented.open(&known) {
            return Ok(Some(terms));
        }
        // The secret may just have been rotated; asking again is bounded in the secrets' own cache.
        let fresh = secrets.find_fresh(SecretName::Link, now).await?;
        Ok(presented.open(&fresh).ok())
    }
}
