//! Addresses that others chose and we call: which of them a call may go to.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use url::{Host, Url};

/// How far calls may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To public addresses, over TLS alone.
    Public,
    /// Also to this very machine, over TLS or without; for local work.
    Loopback,
}

/// A URL that may be called: `https`, without credentials and fragment, at most [`Target::MAX_BYTES`] long.
///
/// Under [`Reach::Loopback`] it may be `http` where its host is this machine. Every port is permitted: which service answers
/// there is its owner's business, and a public address is nobody's inner network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    reach: Reach,
}

impl Target {
    /// The longest URL, in bytes.
    pub const MAX_BYTES: usize = 2_048;

    /// Reads a URL. An address that stands in it literally, in whichever spelling, is looked at here; what a name stands for
    /// is known only when it is resolved, and [`Target::permits`] must be asked about every address then.
    ///
    /// # Errors
    /// [`InvalidTarget`] says what is wrong with it.
    pub fn parse(text: &str, reach: Reach) -> Result<Self, InvalidTarget> {
        if text.len() > Self::MAX_BYTES {
            return Err(InvalidTarget::TooLong);
        }
        let url = Url::parse(text).map_err(|_| InvalidTarget::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidTarget::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidTarget::Credentials);
        }
        if url.fragment().is_some() {
            return Err(InvalidTarget::Fragment);
        }
        // Whatever reads a URL percent-encodes what may not stand in one.
        if url.as_str().len() > Self::MAX_BYTES {
            return Err(InvalidTarget::TooLong);
        }
        if url.port_or_known_default().is_none_or(|port| port == 0) {
            return Err(InvalidTarget::NoUrl);
        }
        let target = Self { url, reach };
        let is_reached = match target.url.host().ok_or(InvalidTarget::NoUrl)? {
            Host::Ipv4(address) => target.permits(address.into()),
            Host::Ipv6(address) => target.permits(address.into()),
            Host::Domain(name) if is_localhost(name) => reach == Reach::Loopback,
            Host::Domain(name) if name.len() > MAX_NAME_BYTES => return Err(InvalidTarget::NoUrl),
            Host::Domain(_) if target.is_tls() => true,
            Host::Domain(_) => return Err(InvalidTarget::Scheme),
        };
        match (is_reached, reach, target.is_tls()) {
            (true, Reach::Loopback, _) | (true, Reach::Public, true) => Ok(target),
            (true, Reach::Public, false) | (false, Reach::Loopback, false) => Err(InvalidTarget::Scheme),
            (false, ..) => Err(InvalidTarget::Address),
        }
    }

    /// Whether a connection may be made to that address, which the URL's host stands for.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        match self.reach {
            Reach::Public => is_public(address),
            Reach::Loopback => address.is_loopback() || (self.is_tls() && is_public(address)),
        }
    }

    /// Whether it is called over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Its host as it is resolved: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> String {
        match self.url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }

    /// Its port, also where the scheme alone says it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    /// The `Host` of a request to it (RFC 9112 §3.2).
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The target of a request to it in origin form (RFC 9112 §3.2.1).
    #[must_use]
    pub fn path_and_query(&self) -> String {
        let path = self.url.path();
        self.url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
    }

    /// The whole URL, as it is called.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Why a URL is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It is longer than [`Target::MAX_BYTES`].
    #[error("must have at most 2048 bytes")]
    TooLong,
    /// It is none, or one without a host.
    #[error("must be a URL with a host")]
    NoUrl,
    /// It would be called without TLS, or not over HTTP at all.
    #[error("must begin with https://")]
    Scheme,
    /// It carries a user's name or password.
    #[error("must not carry a user's name or password")]
    Credentials,
    /// It has a fragment, which is never sent.
    #[error("must not have a fragment")]
    Fragment,
    /// Its host is no public address.
    #[error("must lead to a public address")]
    Address,
}

/// Whether an address is one of the public internet: none that IANA's registries of special purposes hold back (RFC 6890,
/// as updated), and none that carries another address inside it.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let bits = u32::from(address);
            !HELD_BACK_V4.iter().any(|(base, length)| (bits ^ u32::from(*base)).leading_zeros() >= *length)
        }
        IpAddr::V6(address) => {
            let bits = u128::from(address);
            let is_in = |(base, length): &(Ipv6Addr, u32)| (bits ^ u128::from(*base)).leading_zeros() >= *length;
            // What is not global unicast is not handed out: loopback, local, multicast, mapped and translated addresses.
            is_in(&GLOBAL_UNICAST) && !HELD_BACK_V6.iter().any(is_in)
        }
    }
}

/// RFC 6761 §6.3: these names mean this machine, whatever a resolver says.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}

/// The longest name that can be resolved (RFC 1035 §3.1), with a dot at its end.
const MAX_NAME_BYTES: usize = 254;
/// The part of IPv6 that is handed out (RFC 4291 §2.4).
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const HELD_BACK_V4: [(Ipv4Addr, u32); 15] = [
    // This network; private; shared by carriers; loopback; link-local, where clouds keep their metadata.
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments; documentation; relays to IPv6; private; benchmarks; documentation, twice.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast; reserved, and the broadcast address.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
const HELD_BACK_V6: [(Ipv6Addr, u32); 4] = [
    // Protocol assignments, Teredo, benchmarks and ORCHIDs among them; documentation; 6to4; documentation.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    const NOT_PUBLIC: [&str; 52] = [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "3fff:fff:ffff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];

    const PUBLIC: [&str; 26] = [
        "1.0.0.0",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2001:db9::1",
        "2003::1",
        "2606:4700:4700::1111",
        "2a00::1",
        "3ffe:ffff::1",
    ];

    #[test]
    fn an_address_that_is_not_public_is_known_at_both_its_ends() {
        for (texts, wanted) in [(&NOT_PUBLIC[..], false), (&PUBLIC[..], true)] {
            for text in texts {
                assert_eq!(is_public(text.parse().unwrap()), wanted, "{text}");
            }
        }
    }

    #[test]
    fn only_a_plain_https_url_to_a_public_host_is_called() {
        for (text, wanted) in [
            ("https://hooks.example.com/a?b=c", Ok(())),
            ("https://hooks.example.com:8443/", Ok(())),
            ("https://8.8.8.8/", Ok(())),
            ("https://[2606:4700:4700::1111]:444/", Ok(())),
            ("http://hooks.example.com/", Err(InvalidTarget::Scheme)),
            ("http://8.8.8.8/", Err(InvalidTarget::Scheme)),
            ("http://127.0.0.1/", Err(InvalidTarget::Address)),
            ("ftp://hooks.example.com/", Err(InvalidTarget::Scheme)),
            ("javascript:alert(1)", Err(InvalidTarget::Scheme)),
            ("https://", Err(InvalidTarget::NoUrl)),
            ("https://a:0/", Err(InvalidTarget::NoUrl)),
            ("hooks.example.com", Err(InvalidTarget::NoUrl)),
            ("", Err(InvalidTarget::NoUrl)),
            ("https://me@hooks.example.com/", Err(InvalidTarget::Credentials)),
            ("https://:pw@hooks.example.com/", Err(InvalidTarget::Credentials)),
            ("https://hooks.example.com/#top", Err(InvalidTarget::Fragment)),
            ("https://localhost/", Err(InvalidTarget::Address)),
            ("https://LOCALHOST./", Err(InvalidTarget::Address)),
            ("https://a.localhost/", Err(InvalidTarget::Address)),
            ("https://127.1/", Err(InvalidTarget::Address)),
            ("https://2130706433/", Err(InvalidTarget::Address)),
            ("https://0x7f000001/", Err(InvalidTarget::Address)),
            ("https://0177.0.0.1/", Err(InvalidTarget::Address)),
            ("https://１２７.0.0.1/", Err(InvalidTarget::Address)),
            ("https://169.254.169.254/latest", Err(InvalidTarget::Address)),
            ("https://[::1]/", Err(InvalidTarget::Address)),
            ("https://[::ffff:10.0.0.1]/", Err(InvalidTarget::Address)),
        ] {
            assert_eq!(Target::parse(text, Reach::Public).map(|_| ()), wanted, "{text}");
        }
        let long = format!("https://hooks.example.com/{}", "a".repeat(Target::MAX_BYTES));
        assert_eq!(Target::parse(&long, Reach::Public), Err(InvalidTarget::TooLong));
        let grown = format!("https://hooks.example.com/{}", "é".repeat(1_000));
        assert_eq!(Target::parse(&grown, Reach::Public), Err(InvalidTarget::TooLong));
    }

    #[test]
    fn local_work_reaches_this_machine_and_no_other_one_without_tls() {
        for text in
            ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]/", "https://localhost/", "https://a.example/"]
        {
            assert!(Target::parse(text, Reach::Loopback).is_ok(), "{text}");
        }
        for text in [
            "http://a.example/",
            "http://10.0.0.1/",
            "http://8.8.8.8/",
            "https://10.0.0.1/",
            "https://169.254.169.254/",
        ] {
            assert!(Target::parse(text, Reach::Loopback).is_err(), "{text}");
        }
        let by_name = Target::parse("http://localhost/", Reach::Loopback).unwrap();
        assert!(by_name.permits(Ipv4Addr::LOCALHOST.into()) && !by_name.permits(Ipv4Addr::new(8, 8, 8, 8).into()));
    }

    #[test]
    fn a_target_says_what_a_request_to_it_carries() {
        let target = Target::parse("https://EXAMPLE.com:443/a b?c=d", Reach::Public).unwrap();
        assert_eq!(
            (target.host().as_str(), target.port(), target.authority().as_str()),
            ("example.com", 443, "example.com")
        );
        assert_eq!(target.path_and_query(), "/a%20b?c=d");
        let target = Target::parse("https://[2606:4700::1]:8443", Reach::Public).unwrap();
        assert_eq!((target.host().as_str(), target.port()), ("2606:4700::1", 8_443));
        assert_eq!((target.authority().as_str(), target.path_and_query().as_str()), ("[2606:4700::1]:8443", "/"));
    }
}
