//! `GET /v1/catalogue`: what of the policy whoever makes keys and calls has to know.

use faregate_domain::{
    policy::{Environment, Plan, Policy, Route},
    scope::{Grant, GrantSet, Scope},
};
use faregate_gate::{
    management::{Data, Refusal, answer},
    refusal::dollars,
};
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use serde_json::Value;

use crate::{App, me::LimitsView};

impl App {
    /// The policy, as far as callers may know it.
    pub(crate) async fn catalogue(&self, request: &Request) -> Result<Response<Body>, Refusal> {
        self.gate.authenticate_self(request).await?;
        let data = CatalogueView::of(&self.services().config.policy);
        answer(200, serde_json::to_string(&Data { data })?)
    }
}

#[derive(Serialize)]
struct CatalogueView<'p> {
    keys_path: &'p str,
    credential_headers: Vec<&'static str>,
    environments: Vec<EnvironmentView<'p>>,
    scopes: Vec<ScopeView<'p>>,
    presets: Vec<PresetView<'p>>,
    default_preset: &'p str,
    routes: Vec<RouteView<'p>>,
    plans: Vec<PlanView<'p>>,
}

impl<'p> CatalogueView<'p> {
    fn of(policy: &'p Policy) -> Self {
        let scope = |(scope, description): (&'p Scope, &'p String)| ScopeView {
            scope: scope.as_str(),
            description,
            operator_only: policy.is_operator_only(scope),
        };
        Self {
            keys_path: policy.management().keys(),
            credential_headers: policy.credential_headers().iter().map(|header| header.name()).collect(),
            environments: policy.environments().iter().map(EnvironmentView::of).collect(),
            scopes: policy.catalogue().iter().map(scope).collect(),
            presets: policy.presets().map(PresetView::of).collect(),
            default_preset: policy.default_preset(),
            routes: policy.routes().iter().map(RouteView::of).collect(),
            plans: policy.plans().iter().map(PlanView::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct EnvironmentView<'p> {
    name: &'p str,
    prefix: &'p str,
    limits: LimitsView,
    retention_days: u32,
}

impl<'p> EnvironmentView<'p> {
    fn of(environment: &'p Environment) -> Self {
        Self {
            name: &environment.name,
            prefix: &environment.prefix,
            limits: LimitsView::of(&environment.limits),
            retention_days: environment.retention_days,
        }
    }
}

#[derive(Serialize)]
struct ScopeView<'p> {
    scope: &'p str,
    description: &'p str,
    operator_only: bool,
}

#[derive(Serialize)]
struct PresetView<'p> {
    name: &'p str,
    scopes: Vec<&'p str>,
}

impl<'p> PresetView<'p> {
    fn of((name, grants): (&'p str, &'p GrantSet)) -> Self {
        Self { name, scopes: grants.iter().map(Grant::as_str).collect() }
    }
}

#[derive(Serialize)]
struct RouteView<'p> {
    route: &'p str,
    scope: &'p str,
    cost_usd: Value,
    settle: bool,
    environments: &'p [String],
}

impl<'p> RouteView<'p> {
    fn of(route: &'p Route) -> Self {
        Self {
            route: &route.template,
            scope: route.scope.as_str(),
            cost_usd: dollars(route.cost),
            settle: route.lease_seconds.is_some(),
            environments: &route.environments,
        }
    }
}

#[derive(Serialize)]
struct PlanView<'p> {
    name: &'p str,
    max_keys: u32,
    limits: LimitsView,
}

impl<'p> PlanView<'p> {
    fn of((name, plan): (&'p String, &'p Plan)) -> Self {
        Self { name, max_keys: plan.max_keys, limits: LimitsView::of(&plan.ceiling) }
    }
}
