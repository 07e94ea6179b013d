//! Who may sign out, and that it holds.

use lambda_http::Body;

use super::bench::{Answer, Bench, ORIGIN, Wallet};

async fn logout(bench: &Bench, headers: &[(&str, &str)]) -> Answer {
    bench.send("POST", "/auth/logout", Body::Empty, headers).await
}

async fn is_live(bench: &Bench, token: &str) -> bool {
    bench.app.sessions.verify_live(token, bench.services.clock.now()).await.is_ok()
}

#[tokio::test]
async fn a_logout_ends_this_session_and_no_other() {
    let bench = Bench::new().await;
    let (one, other) = (bench.token(&Wallet::new(1)).await, bench.token(&Wallet::new(1)).await);
    let answer = logout(&bench, &[("authorization", &format!("Bearer {one}"))]).await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("set-cookie").starts_with("faregate_session=; "), "{answer:?}");
    assert!(answer.header("set-cookie").ends_with("Max-Age=0"));
    assert!(!is_live(&bench, &one).await);
    assert!(is_live(&bench, &other).await);
    let again = logout(&bench, &[("authorization", &format!("Bearer {one}"))]).await;
    assert_eq!(again.refusal(), (401, "invalid_token"));
    assert!(again.header("www-authenticate").contains("error=\"invalid_token\""), "{again:?}");
}

#[tokio::test]
async fn the_cookie_signs_out_from_our_own_pages_only() {
    let bench = Bench::new().await;
    let token = bench.token(&Wallet::new(1)).await;
    let cookie = format!("faregate_session={token}");
    for origin in [None, Some("https://evil.example"), Some("null"), Some("http://gate.example")] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        assert_eq!(logout(&bench, &headers).await.refusal(), (403, "origin_not_allowed"), "{origin:?}");
    }
    assert!(is_live(&bench, &token).await);
    assert_eq!(logout(&bench, &[("cookie", &cookie), ("origin", ORIGIN)]).await.status, 204);
    assert!(!is_live(&bench, &token).await);
}

#[tokio::test]
async fn missing_wrong_and_ambiguous_credentials_are_told_apart() {
    let bench = Bench::new().await;
    let (one, other) = (bench.token(&Wallet::new(1)).await, bench.token(&Wallet::new(2)).await);
    let (bearer, cookie) = (format!("Bearer {one}"), format!("faregate_session={other}"));
    for (headers, wanted) in [
        (&[][..], (401, "missing_credentials")),
        (&[("authorization", "Basic abc")], (401, "missing_credentials")),
        (&[("authorization", "Bearer abc")], (401, "invalid_token")),
        (&[("authorization", "Bearer é")], (401, "invalid_token")),
        (&[("authorization", &bearer), ("cookie", &cookie), ("origin", ORIGIN)], (400, "ambiguous_credentials")),
        (&[("authorization", &bearer), ("authorization", "Bearer abc")], (400, "ambiguous_credentials")),
    ] {
        assert_eq!(logout(&bench, headers).await.refusal(), wanted, "{headers:?}");
    }
    assert!(is_live(&bench, &one).await && is_live(&bench, &other).await);
}

#[tokio::test]
async fn an_expired_token_cannot_sign_out() {
    let bench = Bench::new().await;
    let token = bench.token(&Wallet::new(1)).await;
    bench.services.clock.advance_ms(900_000);
    let answer = logout(&bench, &[("authorization", &format!("Bearer {token}"))]).await;
    assert_eq!(answer.refusal(), (401, "invalid_token"));
}
