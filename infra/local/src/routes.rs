//! Which paths belong to the gateway itself, to a function, or to the API behind the gate.

use faregate_domain::policy::Management;

use crate::invoke::Function;

/// The management routes of all functions.
#[derive(Debug)]
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    /// Collects what each function says that it serves, `(METHOD, /path/{parameter})`, keys where the policy has them.
    pub(crate) fn new(served: &[(Function, &[(&str, &str)])], management: &Management) -> Self {
        let mut entries = Vec::new();
        for (function, routes) in served {
            let place = |template: &str| place(*function, template, management);
            entries.extend(routes.iter().map(|(_, template)| Route { template: place(template), function: *function }));
        }
        Self(entries)
    }

    /// Where a path belongs. The method plays no part: a function answers 405 on its own paths.
    pub(crate) fn find(&self, path: &str) -> Place {
        if path == "/healthz" {
            return Place::Health;
        }
        if let Some(code) = path.strip_prefix("/problems/").filter(|code| !code.contains('/')) {
            return Place::Problem(code.to_owned());
        }
        let matching = self.0.iter().filter_map(|route| Some((route, route.parameters(path)?)));
        match matching.min_by_key(|(_, parameters)| parameters.len()) {
            Some((route, parameters)) => {
                let template = route.template.clone();
                Place::Function { function: route.function, template, parameters }
            }
            None => Place::Gate,
        }
    }
}

/// Where a request belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The gateway's own health.
    Health,
    /// The page about a problem's code.
    Problem(String),
    /// A management function.
    Function {
        function: Function,
        /// The path's template, which API Gateway calls the resource.
        template: String,
        /// The path's parameters by name, percent escapes left as they are.
        parameters: Vec<(String, String)>,
    },
    /// The API behind the gate.
    Gate,
}

#[derive(Debug)]
struct Route {
    template: String,
    function: Function,
}

impl Route {
    fn parameters(&self, path: &str) -> Option<Vec<(String, String)>> {
        let mut segments = path.split('/');
        let mut parameters = Vec::new();
        for own in self.template.split('/') {
            let segment = segments.next()?;
            match own.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) if !segment.is_empty() => parameters.push((name.to_owned(), segment.to_owned())),
                None if own == segment => {}
                _ => return None,
            }
        }
        segments.next().is_none().then_some(parameters)
    }
}

/// Where the policy has a path of a function.
fn place(function: Function, template: &str, management: &Management) -> String {
    match function {
        Function::Keys => management.placed(template),
        _ => template.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use faregate_domain::policy::Policy;

    use super::*;

    fn routes() -> Routes {
        routes_under(&Management::default())
    }

    fn routes_under(management: &Management) -> Routes {
        let keys = &[("GET", "/v1/api-keys/{id}"), ("DELETE", "/v1/api-keys/self")];
        let served: &[(Function, &[(&str, &str)])] =
            &[(Function::Nonce, &[("GET", "/auth/nonce/{address}")]), (Function::Keys, keys)];
        Routes::new(served, management)
    }

    #[test]
    fn keys_are_where_the_policy_has_them() {
        let text = format!("{}management: {{ keys: /api/keys }}\n", Policy::DEFAULT_TEXT);
        let routes = routes_under(Policy::parse(&text).unwrap().management());
        let template = "/api/keys/self".to_owned();
        let own = Place::Function { function: Function::Keys, template, parameters: Vec::new() };
        assert_eq!(routes.find("/api/keys/self"), own);
        assert_eq!(routes.find("/v1/api-keys/self"), Place::Gate);
        assert!(matches!(routes.find("/auth/nonce/0x1"), Place::Function { function: Function::Nonce, .. }));
    }

    #[test]
    fn a_path_belongs_to_the_function_that_names_it_best() {
        let template = |path: &str| match routes().find(path) {
            Place::Function { template, .. } => template,
            _ => String::new(),
        };
        assert_eq!(template("/v1/api-keys/key_1"), "/v1/api-keys/{id}");
        assert_eq!(template("/v1/api-keys/self"), "/v1/api-keys/self");
        let place = routes().find("/auth/nonce/0xa%20");
        let parameters = vec![("address".to_owned(), "0xa%20".to_owned())];
        let template = "/auth/nonce/{address}".to_owned();
        assert_eq!(place, Place::Function { function: Function::Nonce, template, parameters });
    }

    #[test]
    fn everything_else_goes_to_the_gate() {
        for path in ["/", "/v1", "/v1/api-keys/", "/v1/api-keys/a/b", "//v1/api-keys/a", "/healthz/", "/problems/a/b"] {
            assert_eq!(routes().find(path), Place::Gate, "{path}");
        }
        assert_eq!(routes().find("/healthz"), Place::Health);
        assert_eq!(routes().find("/problems/not_found"), Place::Problem("not_found".into()));
    }
}
