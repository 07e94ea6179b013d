//! What is said of keys, in the product's dialect.

use faregate_domain::policy::{
    Dialect,
    dialect::{Json, KeyAnswer, Template},
};
use faregate_edge::wording;
use faregate_gate::management::{Data, Failure, Page};
use lambda_http::Request;

use crate::{App, view::KeyView};

impl App {
    /// The body of an answer about one key.
    pub(crate) fn key_text(&self, request: &Request, kind: KeyAnswer, view: KeyView<'_>) -> Result<String, Failure> {
        match self.dialect_for(request).answer(kind) {
            None => Ok(serde_json::to_string(&Data { data: view })?),
            Some(template) => Ok(serde_json::to_string(&worded(template, &view)?)?),
        }
    }

    /// The body of a page of keys.
    pub(crate) fn page_text(
        &self,
        request: &Request,
        views: Vec<KeyView<'_>>,
        next_cursor: Option<String>,
    ) -> Result<String, Failure> {
        let dialect = self.dialect_for(request);
        let (page, item) = (dialect.answer(KeyAnswer::Page), dialect.answer(KeyAnswer::Item));
        if page.is_none() && item.is_none() {
            return Ok(serde_json::to_string(&Page { data: views, next_cursor })?);
        }
        let item = |view: &KeyView<'_>| match item {
            None => members(view),
            Some(template) => worded(template, view),
        };
        let items = views.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        let Some(page) = page else { return Ok(serde_json::to_string(&Page { data: items, next_cursor })?) };
        let find = |name: &str| match name {
            "items" => Json::List(items.clone()),
            _ => next_cursor.as_deref().map_or(Json::Null, Json::from),
        };
        Ok(serde_json::to_string(&page.render(&find, &[]))?)
    }

    /// In whose words the caller wants to hear of keys.
    pub(crate) fn dialect_for(&self, request: &Request) -> &Dialect {
        wording::dialect_for(request.headers(), self.services().config.policy.dialect())
    }
}

fn worded(template: &Template, view: &KeyView<'_>) -> Result<Json, Failure> {
    let Json::Object(members) = members(view)? else { return Ok(Json::Null) };
    let find = |name: &str| members.iter().find(|(own, _)| own == name).map_or(Json::Null, |(_, value)| value.clone());
    Ok(template.render(&find, &[]))
}

/// A key's members, in the order in which they are always told.
fn members(view: &KeyView<'_>) -> Result<Json, Failure> {
    Ok(serde_json::from_str(&serde_json::to_string(view)?)?)
}
