//! The paths of template.yaml: each path of the API's description, whatever the method, goes to its function.
//!
//! API Gateway would answer a method that it does not know by itself; so that callers see 405 and `Allow` as they do here,
//! it hands on every method and the function answers.

use std::fmt::Write;

use faregate_edge::api::{Api, Operation};

use crate::generated;

/// The template with its generated part replaced.
fn with_paths(template: &str, api: &Api) -> Result<String, String> {
    let (head, rest) = template.split_once(BEGIN).ok_or_else(|| format!("the line `{}` is missing", BEGIN.trim()))?;
    let (_, tail) = rest.split_once(END).ok_or_else(|| format!("the line `{}` is missing", END.trim()))?;
    Ok(format!("{head}{BEGIN}{}{END}{tail}", paths(api)))
}

fn paths(api: &Api) -> String {
    let (mut out, mut last, mut known) = (String::new(), "", Vec::new());
    for Operation { path, function, .. } in api.operations() {
        if path == last || function == Operation::GATEWAY {
            continue;
        }
        last = path;
        let _ = writeln!(out, "          {path}:\n            x-amazon-apigateway-any-method:");
        let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        let names: Vec<_> = names
            .map(|name| format!("{{ name: {name}, in: path, required: true, schema: {{ type: string }} }}"))
            .collect();
        if !names.is_empty() {
            let _ = writeln!(out, "              parameters: [{}]", names.join(", "));
        }
        if known.contains(&function) {
            let _ = writeln!(out, "              x-amazon-apigateway-integration: *{function}");
            continue;
        }
        known.push(function);
        let _ = writeln!(
            out,
            "              x-amazon-apigateway-integration: &{function}\n                type: aws_proxy\n                \
             httpMethod: POST\n                uri: !Sub arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}:lambda:path/\
             2015-03-31/functions/${{{}.Arn}}/invocations",
            resource(function)
        );
    }
    out
}

/// What the template calls a function.
fn resource(function: &str) -> String {
    let mut letters = function.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

const BEGIN: &str = "          # From infra/openapi.yaml, by `just api`.\n";
const END: &str = "          # The API behind the gate.\n";

#[test]
fn the_templates_paths_are_the_descriptions() {
    let api = Api::shipped().unwrap();
    generated::assert_same("template.yaml", |template| with_paths(template, &api));
}

#[test]
fn each_function_of_the_description_stands_in_the_template() {
    let template = include_str!("../../../template.yaml");
    for operation in Api::shipped().unwrap().operations() {
        if operation.function != Operation::GATEWAY {
            let name = resource(&operation.function);
            assert!(template.contains(&format!("\n  {name}:\n    Type: AWS::Serverless::Function\n")), "{operation:?}");
            assert!(
                template.contains(&format!("\n  {name}Permission:\n    Type: AWS::Lambda::Permission\n")),
                "{name}"
            );
        }
    }
}

#[test]
fn a_template_without_its_marks_is_left_alone() {
    let api = Api::shipped().unwrap();
    assert!(with_paths("paths:\n", &api).unwrap_err().contains("infra/openapi.yaml"));
    assert!(with_paths(BEGIN, &api).unwrap_err().contains("behind the gate"));
    let written = with_paths(&format!("a\n{BEGIN}old\n{END}z\n"), &api).unwrap();
    assert!(written.starts_with("a\n") && written.ends_with("z\n") && !written.contains("old"));
    assert_eq!(with_paths(&written, &api).unwrap(), written);
}
