#![no_main]
//! The authorizer's event: no JSON panics, and what is read of it stood there.

use faregate_authorizer::event;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, value::RawValue};

fuzz_target!(|text: &[u8]| {
    let Ok(json) = serde_json::from_slice::<Value>(text) else { return };
    // As the function reads it; a text that names a thing twice is refused, where the value has the last of them.
    let Ok(raw) = serde_json::from_slice::<&RawValue>(text) else { return };
    let Ok(event) = event::parse(raw) else { return };
    assert_eq!(json["type"], "REQUEST");
    assert_eq!(json["path"], event.request.path.as_str());
    assert_eq!(json["httpMethod"], event.request.method.as_str());
    let arn = json["methodArn"].as_str().unwrap_or_default();
    assert!(arn.starts_with(&event.stage_arn) && event.stage_arn.matches('/').count() == 1);
    for (name, value) in &event.request.headers {
        let single = json["headers"][name.as_str()].as_str();
        let several = json["multiValueHeaders"][name.as_str()].as_array();
        let lines = several.into_iter().flatten().filter_map(Value::as_str);
        assert!(lines.chain(single).any(|line| line == value));
    }
    for name in event.request.query.names() {
        let single = json["queryStringParameters"][name].as_str();
        let several = json["multiValueQueryStringParameters"][name].as_array();
        let told: Vec<_> = several.into_iter().flatten().filter_map(Value::as_str).chain(single).collect();
        assert!(event.request.query.values(name).iter().all(|value| told.contains(&value.as_str())));
    }
    let _ = (event.request.origin(), event.request.is_signed());
});
