#![no_main]
//! Sign-in messages (EIP-4361): no text panics, and what is accepted prints as it was read.

use libfuzzer_sys::fuzz_target;

use faregate_domain::wallet::Message;

fuzz_target!(|text: &str| {
    if let Ok(message) = text.parse::<Message>() {
        assert_eq!(message.to_string(), text);
    }
});
