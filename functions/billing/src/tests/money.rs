//! Answers of transactions are lost after the table has carried them out, and no money is doubled or lost.

use super::bench::Bench;

#[tokio::test]
async fn a_lost_answer_neither_loses_nor_doubles_an_allocation() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    let page = format!("/v1/projects/{}/allocations", ann.project);
    // One lost answer is repaired beneath; so many are not, and the caller is told that nothing is known.
    for (lost, first, left) in [(1, 201, 4_000_000), (4, 503, 3_000_000)] {
        bench.lossy.lose(lost);
        let key = format!("k{lost}");
        let answer = bench.send("POST", &page, &ann.token, r#"{"amount_usd":-1}"#, Some(&key)).await;
        assert_eq!((answer.status, bench.lossy.left()), (first, 0), "{}", answer.text);
        let again = bench.send("POST", &page, &ann.token, r#"{"amount_usd":-1}"#, Some(&key)).await;
        assert_eq!((again.status, &again.body["data"]["amount_usd"]), (201, &(-1).into()), "{}", again.text);
        let (own, project, _) = bench.books(&ann).await;
        assert_eq!((own, project), (5_000_000 - left, left), "{lost}");
    }
    assert_eq!(bench.books(&ann).await.2, 4);
}

#[tokio::test]
async fn a_lost_answer_doubles_nothing_without_an_idempotency_key_either() {
    let bench = Bench::new().await;
    let (ann, operator) = (bench.person(1).await, bench.person(0).await);
    bench.lossy.lose(1);
    let page = format!("/v1/projects/{}/allocations", ann.project);
    let answer = bench.send("POST", &page, &ann.token, r#"{"amount_usd":-1}"#, None).await;
    assert_eq!((answer.status, bench.lossy.left()), (201, 0), "{}", answer.text);
    assert_eq!(bench.books(&ann).await, (1_000_000, 4_000_000, 3));
    let page = format!("/v1/accounts/{}/credits", ann.account);
    for lost in [1, 4, 0] {
        bench.lossy.lose(lost);
        let body = r#"{"amount_usd":2,"reference":"r"}"#;
        let answer = bench.send("POST", &page, &operator.token, body, None).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        bench.lossy.lose(0);
        assert_eq!(bench.books(&ann).await, (3_000_000, 4_000_000, 4), "{lost}");
    }
}

#[tokio::test]
async fn a_lost_answer_neither_loses_nor_doubles_a_project() {
    let bench = Bench::new().await;
    let ann = bench.person(1).await;
    for (lost, first) in [(1, 201), (4, 503)] {
        bench.lossy.lose(lost);
        let (body, key) = (format!(r#"{{"name":"lost {lost}"}}"#), format!("k{lost}"));
        let answer = bench.send("POST", "/v1/projects", &ann.token, &body, Some(&key)).await;
        assert_eq!((answer.status, bench.lossy.left()), (first, 0), "{}", answer.text);
        let again = bench.send("POST", "/v1/projects", &ann.token, &body, Some(&key)).await;
        assert_eq!(again.status, 201, "{}", again.text);
        let id = again.body["data"]["id"].as_str().unwrap();
        assert_eq!(bench.send("GET", &format!("/v1/projects/{id}"), &ann.token, "", None).await.text, again.text);
        let list = bench.send("GET", "/v1/projects", &ann.token, "", None).await;
        let name = format!("lost {lost}");
        let made = list.body["data"].as_array().unwrap().iter().filter(|one| one["name"] == name.as_str()).count();
        assert_eq!(made, 1);
    }
}
