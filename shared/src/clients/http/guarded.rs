//! Sends requests to addresses that somebody else chose: only by https, only to public addresses,
//! judged at the moment of connecting, and without following redirects (DESIGN section 10).

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::{Answer, Call, Http, Result, Sender, builder};
use crate::{clients::Failure, clock::Clock, ids::Random};

/// Sends to public addresses by https, and to trusted ones in any way.
pub struct Guarded {
    sender: Sender,
    trusted_hosts: Vec<String>,
    /// Made when first needed, like every client: each reads the certificates of the system.
    public: OnceLock<reqwest::Result<reqwest::Client>>,
    trusted: OnceLock<reqwest::Result<reqwest::Client>>,
}

impl Guarded {
    /// Makes a sender; `trusted_hosts` are the `host:port` pairs of `OUTBOUND_TRUSTED_HOSTS`.
    #[must_use]
    pub fn new(trusted_hosts: Vec<String>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let sender = Sender { clock, random };
        Self { sender, trusted_hosts, public: OnceLock::new(), trusted: OnceLock::new() }
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
            self.trusted.get_or_init(|| builder().no_proxy().build())
        } else if url.scheme() == "https" && url.host().is_some_and(|host| may_be_public(&host)) {
            // A proxy would resolve names by itself, past the resolver here.
            let public = || builder().no_proxy().https_only(true).dns_resolver(PublicResolver).build();
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
struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
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
    fn no_notation_of_a_special_address_is_public() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "192.88.99.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001:0:7f00:1::]",
            "[2001:db8::1]",
            "[100::1]",
            "[::ffff:0:127.0.0.1]",
            "①②⑦.0.0.1",
        ] {
            assert!(!is_allowed(&format!("https://{host}/")), "{host}");
        }
        assert!(is_allowed("https://[64:ff9b::5db8:d822]/"));
    }

    #[tokio::test]
    async fn a_name_of_this_machine_has_no_public_address() {
        let Err(error) = PublicResolver.resolve("localhost".parse().unwrap()).await else { panic!("resolved") };
        assert_eq!(error.to_string(), "the name has no public address");
        let patience = super::super::Patience { total: std::time::Duration::from_secs(5), retries: 0 };
        let failure = guarded().send(&Call::get("https://localhost:1/", patience, 1)).await.unwrap_err();
        assert!(matches!(failure, Failure::Unreachable(_)), "{failure:?}");
    }
}
