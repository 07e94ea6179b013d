//! What a type gets from the tree, and what is said of what it does not take.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::MergeKeyPolicy;

use super::{Field, Finding, Step, Tree};
use crate::policy::dialect::Json;

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Shop {
    name: String,
    price: Option<String>,
    stock: u32,
    sold: u64,
    colour: Option<Colour>,
    names: BTreeMap<String, Option<String>>,
    rooms: Vec<Shop>,
    page: Option<Json>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
}

fn read(text: &str) -> Result<Shop, Finding> {
    Tree::parse(text)?.read()
}

#[test]
fn every_kind_of_value_reaches_its_type() {
    let shop = read(
        "name: \"a \\\"b\\\"\"\nprice: '0.10'\nstock: 0x10\nsold: \"7\"\ncolour: red\nnames: { a: b, c: ~ }\n\
         rooms:\n  - name: |\n      two\n      lines\npage: { z: [1, -2, 0.5, true, null, x], a: yes }\n",
    )
    .unwrap();
    assert_eq!((shop.name.as_str(), shop.price.as_deref()), ("a \"b\"", Some("0.10")));
    assert_eq!((shop.stock, shop.sold, shop.colour), (16, 7, Some(Colour::Red)));
    assert_eq!(shop.names, [("a".into(), Some("b".into())), ("c".into(), None)].into());
    assert_eq!(shop.rooms[0].name, "two\nlines\n");
    assert_eq!(shop.page.unwrap().to_string(), r#"{"z":[1,-2,0.5,true,null,"x"],"a":"yes"}"#);
}

/// Without quotes too a price keeps its zeros, and a word that YAML takes for something else stays that word.
#[test]
fn a_text_is_what_stands_in_the_file() {
    for (written, wanted) in [
        ("0.10", "0.10"),
        ("1e3", "1e3"),
        ("007", "007"),
        ("yes", "yes"),
        ("  5.00   # dollars", "5.00"),
        ("0x1F", "0x1F"),
        ("99999999999999999999", "99999999999999999999"),
    ] {
        let flow = format!("rooms: [{{ name: ü, price: {} }}]", written.split(" #").next().unwrap());
        assert_eq!(read(&flow).unwrap().rooms[0].price.as_deref(), Some(wanted), "{flow}");
        assert_eq!(read(&format!("name: é\nprice: {written}\n")).unwrap().price.as_deref(), Some(wanted), "{written}");
    }
}

#[test]
fn an_alias_is_what_its_anchor_is() {
    let shop =
        read("rooms:\n  - &one { name: 1.0, price: &price 0.20 }\n  - *one\n  - { name: \"1.0\", price: *price }\n")
            .unwrap();
    let rooms: Vec<_> = shop.rooms.iter().map(|room| (room.name.as_str(), room.price.as_deref())).collect();
    assert_eq!(rooms, [("1.0", Some("0.20")); 3]);
}

/// Another reader sees the same in the files of the repository, and in what YAML makes hard to see.
#[test]
fn another_reader_sees_the_same() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policies");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut texts: Vec<_> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(texts.len() > 5);
    texts.extend(HARD.map(str::to_owned));
    for text in texts {
        let options = serde_saphyr::options! { strict_booleans: true };
        let wanted: Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
        let tree = Tree::parse(&text).unwrap();
        assert_eq!(tree.read::<Value>().unwrap(), wanted, "{text}");
    }
}

const HARD: [&str; 9] = [
    "[null, Null, ~, \"\", '', NULL, nUll]",
    "[true, True, TRUE, tRue, yes, no, on, \"true\", false, False, FALSE]",
    "[0, -0, +7, 12, 0x1f, 0o17, -19, 1.5, -.5, 2., 1e3, 1E-2, +.5e1, 18446744073709551615]",
    "[., .e1, 1e, e1, 0x, 0o8, 0xg, inf, nan, infinity, +, -a, 1.2.3, 12:30, 2001-12-14]",
    "a: |\n  x\n   y\n\nb: >-\n  x\n  y\nc: 'it''s'\nd: \"\\t\\u00e9\\n\"\n",
    "a:\n- b\n-\n  - c\n  - d: e\n    f: [g, {h: i}]\n",
    "? a\n: b\n? c\n",
    "a: &x [1, &y z]\nb: *x\nc: *y\n",
    "--- # a comment\na: b # another\n...\n",
];

#[test]
fn what_has_no_place_in_a_policy_is_told_with_its_line() {
    let nested = |depth: usize| format!("page: {}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(60)).is_ok());
    let bomb: Vec<_> =
        (1..9).map(|at| format!("  - &a{at} [{}]\n", vec![format!("*a{}", at - 1); 9].join(", "))).collect();
    let bomb = format!("page:\n  - &a0 x\n{}", bomb.concat());
    for (text, wanted) in [
        ("\nname: !!str 1", "2: the file: a tag"),
        ("a: 1\n--- 2", "2: the file: a second document"),
        ("a:\n  [1]: 2", "2: the file: a name must be a text"),
        ("page: &a\n  b: *a", "2: the file: an alias inside"),
        ("page: *a", "1: the file: "),
        ("rooms: [", "1: the file: "),
        (&nested(70), "1: the file: lists and maps inside one another"),
        (&bomb, "7: the file: more than 65536 values"),
    ] {
        let told = read(text).unwrap_err().to_string();
        assert!(told.starts_with(wanted) && !told.contains('\n'), "{text:.80}: {told}");
    }
}

#[test]
fn what_does_not_fit_is_named_with_its_line_and_field() {
    for (text, wanted) in [
        ("rooms:\n  - name: a\n  - stock: -1\n", "3: rooms[1].stock: is no whole number, or too large"),
        ("stock: 4294967296", "1: stock: is no whole number, or too large"),
        ("sold: 1.5", "1: sold: is no whole number, or too large"),
        ("sold: 99999999999999999999", "1: sold: is no whole number, or too large"),
        ("name:\n  - a\n", "2: name: invalid type: a list, expected a text"),
        ("\nname: ~", "2: name: invalid type: nothing, expected a text"),
        ("rooms: {}", "1: rooms: invalid type: a map, expected a list"),
        ("names:\n  b: [1]", "2: names.b: invalid type: a list, expected a text"),
        ("rooms: [3]", "1: rooms[0]: invalid type: string \"3\", expected a map"),
        ("colour: blue", "1: colour: unknown variant `blue`, expected `red`"),
        ("\nrooms:\n  - size:\n      large: 1\n", "3: rooms[0].size: unknown field `size`, expected one of"),
        ("name: a\nstock: 1\nname: b\n", "3: the file: \"name\" is there twice"),
        ("names:\n  a: x\n  a: y\n", "3: names: \"a\" is there twice"),
        ("page: { b: [{ c: 1, c: 2 }] }", "1: page.b[0]: \"c\" is there twice"),
        ("", "1: the file: invalid type: nothing, expected a map"),
    ] {
        let told = read(text).unwrap_err().to_string();
        assert!(told.starts_with(wanted) && !told.contains('\n'), "{text:?}: {told}");
    }
}

#[test]
fn the_line_of_a_field_is_that_of_the_nearest_value_around_it() {
    let tree = Tree::parse("a: 1\nb:\n  - c: 2\n    d: 3\n").unwrap();
    let line = |steps: &[Step]| tree.line_of(&steps.iter().cloned().collect::<Field>());
    let key = |name: &str| Step::Key(name.to_owned());
    assert_eq!(line(&[]), 1);
    assert_eq!(line(&[key("b"), Step::Item(0), key("d")]), 4);
    assert_eq!(line(&[key("b"), Step::Item(0), key("e"), key("f")]), 3);
    assert_eq!(line(&[key("b"), Step::Item(7)]), 3);
}

proptest! {
    /// Whatever is in a file, it is read or refused; and what both readers take is the same to both.
    #[test]
    fn any_text_is_answered(text in "([-\\[\\]{}:,&*#|>'\"?~!<]|- |: |a|b|[1-9]|\\.|\n|\n  | ){0,60}") {
        let options = serde_saphyr::options! { strict_booleans: true, merge_keys: MergeKeyPolicy::AsOrdinary };
        let other = serde_saphyr::from_str_with_options::<Value>(&text, options);
        let own = Tree::parse(&text).and_then(|tree| tree.read::<Value>());
        if let (Ok(own), Ok(other)) = (own, other) {
            prop_assert_eq!(own, other);
        }
    }
}
