//! What a type gets from the tree, and what is said of what it does not take.

use std::collections::BTreeMap;

use serde::Deserialize;

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
    assert_eq!(shop.page.unwrap().to_string(), r#"{"z":[1,-2,0.5,true,null,"x"],"a":true}"#);
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
    let shop = read("rooms:\n  - &one { name: 1.0, price: &price 0.20 }\n  - *one\n  - { <<: *one, price: *price }\n")
        .unwrap();
    let rooms: Vec<_> = shop.rooms.iter().map(|room| (room.name.as_str(), room.price.as_deref())).collect();
    assert_eq!(rooms, [("1.0", Some("0.20")); 3]);
}

#[test]
fn what_does_not_fit_is_named_with_its_line_and_field() {
    for (text, wanted) in [
        ("rooms:\n  - name: a\n  - stock: -1\n", "3: rooms[1].stock: is no whole number, or too large"),
        ("stock: 4294967296", "1: stock: is no whole number, or too large"),
        ("sold: 1.5", "1: sold: is no whole number, or too large"),
        ("sold: 99999999999999999999", "1: sold: is no whole number, or too large"),
        ("name:\n  - a\n", "2: name: invalid type: sequence, expected a text"),
        ("\nname: ~", "2: name: invalid type: null, expected a text"),
        ("rooms: {}", "1: rooms: invalid type: map, expected a list"),
        ("names:\n  b: [1]", "2: names.b: invalid type: sequence, expected a text"),
        ("rooms: [3]", "1: rooms[0]: invalid type: a number, expected a map"),
        ("colour: blue", "1: colour: unknown variant `blue`, expected `red`"),
        ("\nrooms:\n  - size:\n      large: 1\n", "3: rooms[0].size: unknown field `size`, expected one of"),
        ("name: a\nstock: 1\nname: b\n", "3: the file: \"name\" is there twice"),
        ("names:\n  a: x\n  a: y\n", "3: names: \"a\" is there twice"),
        ("page: { b: [{ c: 1, c: 2 }] }", "1: page.b[0]: \"c\" is there twice"),
        ("", "1: the file: invalid type: null, expected a map"),
        ("rooms: [", "1: the file: "),
        ("page: .nan", "1: the file: "),
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
