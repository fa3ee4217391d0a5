//! Sends requests to addresses that somebody else chose: only by https, only to public addresses,
//! judged at the moment of connecting, and without following redirects (DESIGN section 10).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::{Answer, Call, Http, Result, Sender, builder};
use crate::{clients::Failure, clock::Clock, ids::Random};

/// How long a connection may take to be made (`contract/push-rules-scheduler.md`, point 7 of the design).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Sends to public addresses by https, and to trusted ones in any way.
pub struct Guarded {
    sender: Sender,
    trusted_hosts: Vec<String>,
    lookup: Lookup,
    /// Made when first needed, like every client: each reads the certificates of the system.
    public: OnceLock<reqwest::Result<reqwest::Client>>,
    trusted: OnceLock<reqwest::Result<reqwest::Client>>,
}

impl Guarded {
    /// Makes a sender; `trusted_hosts` are the `host:port` pairs of `OUTBOUND_TRUSTED_HOSTS`.
    #[must_use]
    pub fn new(trusted_hosts: Vec<String>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let sender = Sender { clock, random, is_traced: false };
        let (public, trusted) = (OnceLock::new(), OnceLock::new());
        Self { sender, trusted_hosts, lookup: Arc::new(|name| look_up(name).boxed()), public, trusted }
    }

    /// Reports whether a URL names one of the trusted `host:port` pairs.
    #[must_use]
    pub fn is_trusted(trusted_hosts: &[String], url: &Url) -> bool {
        let Some((host, port)) = url.host_str().zip(url.port_or_known_default()) else { return false };
        trusted_hosts.iter().any(|trusted| *trusted == format!("{host}:{port}"))
    }

    /// Returns the client that may call a URL.
    fn client_for(&self, url: &str) -> Result<&reqwest::Client> {
        let url = Url::parse(url).map_err(|_| Failure::Forbidden)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::Forbidden);
        }
        let client = if Self::is_trusted(&self.trusted_hosts, &url) {
            self.trusted.get_or_init(|| builder().connect_timeout(CONNECT_TIMEOUT).no_proxy().build())
        } else if url.scheme() == "https" && url.host().is_some_and(|host| may_be_public(&host)) {
            // A proxy would resolve names by itself, past the resolver here.
            let public = || {
                let builder = builder().connect_timeout(CONNECT_TIMEOUT).no_proxy();
                builder.https_only(true).dns_resolver(PublicResolver(self.lookup.clone())).build()
            };
            self.public.get_or_init(public)
        } else {
            return Err(Failure::Forbidden);
        };
        client.as_ref().map_err(|error| Failure::Unreachable(error.to_string().into()))
    }
}

impl Http for Guarded {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move { self.sender.send(self.client_for(&call.url)?, call).await })
    }
}

/// Judges a host that is an address, which no resolver sees. Names are judged when they are resolved.
fn may_be_public(host: &Host<&str>) -> bool {
    match *host {
        Host::Domain(_) => true,
        Host::Ipv4(address) => is_public(IpAddr::V4(address)),
        Host::Ipv6(address) => is_public(IpAddr::V6(address)),
    }
}

/// Resolves names and keeps public addresses only. What it returns is what the connection is made to,
/// so a name cannot change its mind in between.
struct PublicResolver(Lookup);

/// Finds the addresses of a name.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Finds the addresses of a name as the operating system does.
async fn look_up(name: String) -> io::Result<Vec<SocketAddr>> {
    tokio::net::lookup_host((name, 0)).await.map(Iterator::collect)
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.0)(name.as_str().to_owned());
        Box::pin(async move {
            let mut public = found.await?;
            public.retain(|address| is_public(address.ip()));
            if public.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Reports whether an address belongs to the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, loopback, multicast and everything above it.
        (0 | 127 | 224.., ..)
        // Shared by carriers; protocol assignments, test networks, the old 6to4 relays, benchmarks.
        | (100, 64..128, _)
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => true,
        _ => false,
    };
    !(special || address.is_private() || address.is_link_local())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [.., c, d] = segments;
    let embedded = Ipv4Addr::from((u32::from(c) << 16) | u32::from(d));
    match segments {
        // An IPv4 address behind a translator is as good as that address.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => is_public_v4(embedded),
        // Tunnels, protocol assignments and documentation.
        [0x2001, 0..0x200 | 0xdb8, ..] | [0x2002 | 0x3fff, ..] => false,
        // Everything that has been given out is in 2000::/3: no loopback, mapped, private, link-local or
        // multicast address is.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod corpus;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::SystemClock, ids::SystemRandom};

    fn guarded() -> Guarded {
        let trusted = vec!["127.0.0.1:18080".to_owned(), "nas.local:80".to_owned()];
        Guarded::new(trusted, Arc::new(SystemClock), Arc::new(SystemRandom))
    }

    fn is_allowed(url: &str) -> bool {
        guarded().client_for(url).is_ok()
    }

    #[test]
    fn public_addresses_are_called_by_https_alone() {
        for url in ["https://example.com/a", "https://93.184.216.34/", "https://[2606:2800:220:1::1]:8443/"] {
            assert!(is_allowed(url), "{url}");
        }
        for url in
            ["http://example.com/", "ftp://example.com/", "https://a:b@example.com/", "https://a@example.com/"]
        {
            assert!(!is_allowed(url), "{url}");
        }
    }

    #[test]
    fn trusted_pairs_are_called_as_given() {
        assert!(is_allowed("http://127.0.0.1:18080/asr-result/a.json"));
        assert!(is_allowed("http://nas.local/x"));
        assert!(!is_allowed("http://127.0.0.1:18081/"));
        assert!(!is_allowed("http://user@127.0.0.1:18080/"));
    }

    #[test]
    fn a_public_address_may_stand_behind_a_translator() {
        assert!(is_allowed("https://[64:ff9b::5db8:d822]/"));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_has_no_public_address() {
        let resolver = PublicResolver(guarded().lookup.clone());
        let Err(error) = resolver.resolve("localhost".parse().unwrap()).await else { panic!("resolved") };
        assert_eq!(error.to_string(), "the name has no public address");
        let patience = super::super::Patience { total: std::time::Duration::from_secs(5), retries: 0 };
        let failure = guarded().send(&Call::get("https://localhost:1/", patience, 1)).await.unwrap_err();
        assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    }
}
