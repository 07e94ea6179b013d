//! Which paths belong to the gateway itself, to a function, or to the API behind the gate.

use crate::invoke::Function;

/// The management routes of all functions.
#[derive(Debug)]
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    /// Collects what each function says that it serves, `(METHOD, /path/{parameter})`.
    pub(crate) fn new(served: &[(Function, &[(&str, &'static str)])]) -> Self {
        let entries = |(function, routes): &(Function, &[(&str, &'static str)])| {
            let function = *function;
            routes.iter().map(move |(_, template)| Route { template, function }).collect::<Vec<_>>()
        };
        Self(served.iter().flat_map(entries).collect())
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
                Place::Function { function: route.function, template: route.template, parameters }
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
        template: &'static str,
        /// The path's parameters by name, percent escapes left as they are.
        parameters: Vec<(String, String)>,
    },
    /// The API behind the gate.
    Gate,
}

#[derive(Debug)]
struct Route {
    template: &'static str,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Routes {
        Routes::new(&[
            (Function::Nonce, &[("GET", "/auth/nonce/{address}")]),
            (Function::Keys, &[("GET", "/v1/api-keys/{id}"), ("DELETE", "/v1/api-keys/self")]),
        ])
    }

    #[test]
    fn a_path_belongs_to_the_function_that_names_it_best() {
        let template = |path: &str| match routes().find(path) {
            Place::Function { template, .. } => template,
            _ => "",
        };
        assert_eq!(template("/v1/api-keys/key_1"), "/v1/api-keys/{id}");
        assert_eq!(template("/v1/api-keys/self"), "/v1/api-keys/self");
        let place = routes().find("/auth/nonce/0xa%20");
        let parameters = vec![("address".to_owned(), "0xa%20".to_owned())];
        assert_eq!(place, Place::Function { function: Function::Nonce, template: "/auth/nonce/{address}", parameters });
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
