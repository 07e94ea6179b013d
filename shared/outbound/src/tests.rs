//! Calls to receivers that do what receivers on the internet do.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use faregate_domain::outbound::Reach;
use http::header::{HeaderValue, LOCATION};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::*;

fn outbound(resolver: Resolver) -> Outbound {
    Outbound::over(trusting(RootCertStore::empty()).unwrap(), resolver)
}

fn nowhere() -> Outbound {
    outbound(Resolver::of(|_| Vec::new()))
}

fn target(scheme: &str, host: &str, address: SocketAddr, reach: Reach) -> Target {
    Target::parse(&format!("{scheme}://{host}:{}/hook?a=b", address.port()), reach).unwrap()
}

fn local(address: SocketAddr) -> Target {
    target("http", "127.0.0.1", address, Reach::Loopback)
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads one request, says `answer`, and returns what it read.
async fn receiver(answer: impl Into<Vec<u8>>) -> (SocketAddr, JoinHandle<String>) {
    let (listener, address) = listen().await;
    let answer = answer.into();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let read = read_request(&mut stream).await;
        let _ = stream.write_all(&answer).await;
        read
    });
    (address, serving)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let (mut read, mut piece) = (Vec::new(), [0; 1_024]);
    while !read.ends_with(b"the body") && !read.ends_with(b"\r\n\r\n")
        || read.starts_with(b"POST") && !read.ends_with(b"the body")
    {
        let length = stream.read(&mut piece).await.unwrap();
        if length == 0 {
            break;
        }
        read.extend_from_slice(&piece[..length]);
    }
    String::from_utf8(read).unwrap()
}

async fn post(outbound: &Outbound, target: &Target) -> Result<Answer, OutboundError> {
    let headers =
        HeaderMap::from_iter([(http::HeaderName::from_static("webhook-id"), HeaderValue::from_static("msg_1"))]);
    outbound.post(target, headers, b"the body".to_vec()).await
}

#[tokio::test]
async fn a_post_arrives_as_it_was_meant() {
    let (address, serving) = receiver("HTTP/1.1 204 No Content\r\nretry-after: 7\r\n\r\n").await;
    let answer = post(&nowhere(), &local(address)).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.headers["retry-after"].to_str().unwrap()), (204, "7"));
    let read = serving.await.unwrap();
    assert!(read.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{read}");
    for line in
        [&format!("host: {address}\r\n"), "webhook-id: msg_1\r\n", "user-agent: Faregate/", "content-length: 8\r\n"]
    {
        assert!(read.contains(line), "{line} {read}");
    }
    assert!(read.ends_with("\r\n\r\nthe body"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, other) = listen().await;
    let (address, _) =
        receiver(format!("HTTP/1.1 307 Go\r\nlocation: http://{other}/\r\ncontent-length: 0\r\n\r\n")).await;
    let answer = post(&nowhere(), &local(address)).await.unwrap();
    assert_eq!(answer.status.as_u16(), 307);
    assert!(answer.headers.contains_key(LOCATION));
    assert!(is_untouched(&elsewhere).await);
}

/// Whether nobody has connected: a connection that was made waits to be accepted before one that is made now.
async fn is_untouched(listener: &TcpListener) -> bool {
    let own = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (_, peer) = listener.accept().await.unwrap();
    peer == own.local_addr().unwrap()
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_called() {
    let (listener, address) = listen().await;
    let there = outbound(Resolver::of(move |_| vec![address.ip()]));
    let target = target("https", "hooks.example.com", address, Reach::Public);
    assert_eq!(post(&there, &target).await, Err(OutboundError::Forbidden));
    assert!(is_untouched(&listener).await);
}

#[tokio::test]
async fn only_permitted_addresses_of_a_name_are_tried() {
    let (address, _) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let private: Vec<IpAddr> =
        ["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"].map(|text| text.parse().unwrap()).into();
    let mixed = outbound(Resolver::of(move |_| private.iter().copied().chain([address.ip()]).collect()));
    let target = target("http", "localhost", address, Reach::Loopback);
    assert_eq!(post(&mixed, &target).await.unwrap().status.as_u16(), 200);
}

#[tokio::test]
async fn a_name_is_resolved_once_and_its_answer_is_what_is_connected_to() {
    let (address, _) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    // The second answer would lead into the network behind us.
    let rebinding = outbound(Resolver::of(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => vec![address.ip()],
        _ => vec![Ipv4Addr::new(10, 0, 0, 1).into()],
    }));
    let target = target("http", "localhost", address, Reach::Loopback);
    assert_eq!(post(&rebinding, &target).await.unwrap().status.as_u16(), 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(post(&rebinding, &target).await, Err(OutboundError::Forbidden));
}

#[tokio::test]
async fn a_name_without_an_address_is_told_from_one_that_is_refused() {
    let target = Target::parse("https://hooks.example.com/", Reach::Public).unwrap();
    assert_eq!(post(&nowhere(), &target).await, Err(OutboundError::Unresolved));
}

#[tokio::test]
async fn what_is_no_answer_is_a_failure_of_its_kind() {
    let many = "a: b\r\n".repeat(65);
    let long = "a".repeat(20 * 1_024);
    for (said, wanted) in [
        (String::new(), OutboundError::Broken),
        ("nonsense\r\n\r\n".to_owned(), OutboundError::Broken),
        ("HTTP/1.1 200 O".to_owned(), OutboundError::Broken),
        (format!("HTTP/1.1 200 OK\r\n{many}\r\n"), OutboundError::Broken),
        (format!("HTTP/1.1 200 OK\r\na: {long}\r\n\r\n"), OutboundError::Broken),
    ] {
        let (address, _) = receiver(said.clone()).await;
        assert_eq!(post(&nowhere(), &local(address)).await, Err(wanted), "{said}");
    }
    let (listener, address) = listen().await;
    drop(listener);
    assert_eq!(post(&nowhere(), &local(address)).await, Err(OutboundError::Unreachable));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_hangs_is_given_up_after_fifteen_seconds() {
    let (listener, address) = listen().await;
    let held = tokio::spawn(async move {
        let mut streams = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
            streams.push(stream);
        }
    });
    let (there, caller) = (local(address), nowhere());
    let within = async |seconds| {
        let patience = Duration::from_secs(seconds);
        let posted = tokio::time::timeout(patience, post(&caller, &there)).await;
        let fetched = tokio::time::timeout(patience, caller.get(&there, HeaderMap::new(), 5)).await;
        [posted, fetched].map(Result::ok)
    };
    assert_eq!(within(14).await, [None, None]);
    assert_eq!(within(16).await, [Some(Err(OutboundError::TimedOut)), Some(Err(OutboundError::TimedOut))]);
    held.abort();
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end_does_not_take_the_status_away() {
    let (listener, address) = listen().await;
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nx").await;
        std::future::pending::<()>().await;
    });
    assert_eq!(post(&nowhere(), &local(address)).await.unwrap().status.as_u16(), 200);
    endless.abort();
}

#[tokio::test]
async fn a_long_body_is_not_read_to_its_end() {
    // More than all buffers on the way hold.
    const LONG: usize = 64 * 1_024 * 1_024;
    let (listener, address) = listen().await;
    let sending = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LONG}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; LONG]).await
    });
    assert_eq!(post(&nowhere(), &local(address)).await.unwrap().status.as_u16(), 200);
    assert!(sending.await.unwrap().is_err(), "all of it was taken");
}

#[tokio::test]
async fn a_document_is_whole_or_an_error() {
    let (address, serving) = receiver("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole").await;
    let answer = nowhere().get(&local(address), HeaderMap::new(), 5).await.unwrap();
    assert_eq!(answer.body, b"whole");
    assert!(serving.await.unwrap().starts_with("GET /hook?a=b HTTP/1.1\r\n"));
    for (said, wanted) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nlonger", OutboundError::TooLong),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nshor", OutboundError::Broken),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nlonger\r\n0\r\n\r\n", OutboundError::TooLong),
    ] {
        let (address, _) = receiver(said).await;
        assert_eq!(nowhere().get(&local(address), HeaderMap::new(), 5).await, Err(wanted), "{said}");
    }
}

/// A receiver behind TLS with a certificate for that name, and whoever trusts the authority behind it.
async fn secure_receiver(name: &str) -> (SocketAddr, RootCertStore) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let (listener, address) = listen().await;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut piece = [0; 4_096];
            let _ = stream.read(&mut piece).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    (address, roots)
}

#[tokio::test]
async fn tls_is_by_the_name_and_by_a_known_authority() {
    let (address, roots) = secure_receiver("hooks.example.com").await;
    let to_it = Resolver::of(move |_| vec![address.ip()]);
    let knowing = Outbound::over(trusting(roots).unwrap(), to_it.clone());
    let right = target("https", "hooks.example.com", address, Reach::Loopback);
    assert_eq!(post(&knowing, &right).await.unwrap().status.as_u16(), 200);
    let dotted = target("https", "hooks.example.com.", address, Reach::Loopback);
    assert_eq!(post(&knowing, &dotted).await.unwrap().status.as_u16(), 200);
    let other = target("https", "other.example.com", address, Reach::Loopback);
    assert_eq!(post(&knowing, &other).await, Err(OutboundError::Tls));
    assert_eq!(post(&outbound(to_it), &right).await, Err(OutboundError::Tls));
}
