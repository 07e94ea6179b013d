//! Patterns of requests: a method and a path with parameters.

use super::{InvalidRoute, Method, RequestPath};

/// The requests of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Pattern {
    method: Option<Method>,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter,
    Rest,
}

impl Pattern {
    /// Reads `METHOD /path/{parameter}` or `ANY /path/{rest+}`.
    pub(in crate::policy) fn parse(template: &str) -> Result<Self, InvalidRoute> {
        let (method, path) = template.split_once(' ').ok_or(InvalidRoute::Template)?;
        let method = if method == "ANY" { None } else { Some(Method::parse(method)?) };
        let path = RequestPath::parse(path)?;
        let read = |segment: &str| {
            let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let is_name =
                |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            match (name, name.and_then(|name| name.strip_suffix('+'))) {
                (_, Some(name)) if is_name(name) => Ok(Segment::Rest),
                (Some(name), None) if is_name(name) => Ok(Segment::Parameter),
                (None, _) if !segment.contains(['{', '}']) => Ok(Segment::Literal(segment.to_owned())),
                _ => Err(InvalidRoute::Parameter),
            }
        };
        let segments = path.segments().into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let rest_at = segments.iter().position(|segment| *segment == Segment::Rest);
        if rest_at.is_some_and(|at| at + 1 != segments.len()) {
            return Err(InvalidRoute::Rest);
        }
        Ok(Self { method, segments })
    }

    /// Whether a request belongs to the pattern.
    pub(in crate::policy) fn matches(&self, method: &Method, path: &RequestPath) -> bool {
        if self.method.as_ref().is_some_and(|own| own != method) {
            return false;
        }
        let segments = path.segments();
        let has_rest = self.segments.last() == Some(&Segment::Rest);
        if segments.len() < self.segments.len() || (!has_rest && segments.len() != self.segments.len()) {
            return false;
        }
        self.segments.iter().zip(&segments).all(|(own, segment)| match own {
            Segment::Literal(literal) => literal == segment,
            Segment::Parameter => !segment.is_empty(),
            Segment::Rest => true,
        })
    }

    /// Orders patterns that match the same request: literal beats parameter beats rest, from the left;
    /// a named method beats `ANY`.
    pub(in crate::policy) fn specificity(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 3,
            Segment::Parameter => 2,
            Segment::Rest => 1,
        };
        self.segments.iter().map(rank).chain([4, u8::from(self.method.is_some())]).collect()
    }

    /// Whether some request would match both patterns equally well: wherever their ranks differ, the order decides.
    pub(in crate::policy) fn overlaps(&self, other: &Self) -> bool {
        self.specificity() == other.specificity() && self.intersects(other)
    }

    /// Whether every path of the other pattern is one of this, without a rest on either side.
    pub(in crate::policy) fn covers_path_of(&self, other: &Self) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Literal(own), Segment::Literal(other)) => own == other,
                (Segment::Parameter, Segment::Literal(other)) => !other.is_empty(),
                (Segment::Parameter, Segment::Parameter) => true,
                _ => false,
            })
    }

    fn intersects(&self, other: &Self) -> bool {
        let methods_meet = match (&self.method, &other.method) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let literals_meet = self.segments.iter().zip(&other.segments).all(|pair| match pair {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            _ => true,
        });
        methods_meet && literals_meet && self.segments.len() == other.segments.len()
    }
}
