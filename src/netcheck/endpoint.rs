//! What is checked: the hosts of the service, and how devices reach them.

use std::net::IpAddr;

/// The region that is checked unless another is asked for.
pub const DEFAULT_REGION: &str = "us-east-1";

/// Who issues the certificate of the bootstrap service.
pub const BOOTSTRAP_ISSUER: &str = "C=GB, ST=Cambridgeshire, L=Cambridge, O=ARM Ltd, CN=ARM Bootstrap CA";

/// The port of CoAP over TLS and DTLS (RFC 7252 section 12.7, RFC 8323 section 11.4).
pub const COAPS_PORT: u16 = 5684;
/// The port of HTTPS, which firewalls let through most.
pub const HTTPS_PORT: u16 = 443;

/// What carries the packets to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Transport {
    /// TCP, with TLS on it.
    Tcp,
    /// UDP, with DTLS on it.
    Udp,
}

/// A port of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Port {
    /// What carries the packets.
    pub transport: Transport,
    /// Its number.
    pub number: u16,
}

/// A host of the service, and how devices reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Endpoint {
    /// The service, as people call it.
    pub service: String,
    /// Its name, or an address.
    pub host: String,
    /// The ports that devices use.
    pub reached_by: Vec<Port>,
    /// What a device needs one of: endpoints of the same purpose stand in for each other.
    pub purpose: String,
    /// Only Edge gateways need it.
    pub edge_only: bool,
    /// It speaks CoAP inside TLS and DTLS, one message in a record.
    pub coap: bool,
    /// The issuer that its certificate has to have, as `C=GB, O=Example, CN=Example CA`; none where any will do.
    pub expected_issuer: Option<String>,
}

impl Endpoint {
    /// The host as an address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

/// The endpoints of a region that the library knows of; none for any other.
pub fn region(name: &str) -> Option<Vec<Endpoint>> {
    (name == DEFAULT_REGION).then(|| endpoints(name))
}

fn endpoints(region: &str) -> Vec<Endpoint> {
    let tcp = |number| Port { transport: Transport::Tcp, number };
    let udp = |number| Port { transport: Transport::Udp, number };
    let endpoint = |service: &str, name: &str, purpose: &str, reached_by: &[Port]| Endpoint {
        service: service.into(),
        host: format!("{name}.{region}.mbedcloud.com"),
        reached_by: reached_by.into(),
        purpose: purpose.into(),
        edge_only: false,
        coap: true,
        expected_issuer: None,
    };
    let edge = |service: &str, name: &str, purpose: &str| Endpoint {
        edge_only: true,
        coap: false,
        ..endpoint(service, name, purpose, &[tcp(HTTPS_PORT)])
    };
    let both = [tcp(COAPS_PORT), udp(COAPS_PORT), tcp(HTTPS_PORT)];
    vec![
        Endpoint {
            expected_issuer: Some(BOOTSTRAP_ISSUER.into()),
            ..endpoint("CoAP bootstrap", "bootstrap", "bootstrap", &both)
        },
        endpoint("LwM2M, legacy", "lwm2m", "lwm2m", &both),
        endpoint("LwM2M, UDP", "udp-lwm2m", "lwm2m", &[udp(COAPS_PORT)]),
        endpoint("LwM2M, TCP", "tcp-lwm2m", "lwm2m", &[tcp(COAPS_PORT), tcp(HTTPS_PORT)]),
        edge("Edge container registry", "containers", "container registry"),
        edge("Edge gateway", "gateways", "gateway"),
        edge("Edge gateway, Kubernetes", "edge-k8s", "gateway, Kubernetes"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_region_has_the_hosts_and_ports_of_the_service() {
        let endpoints = region(DEFAULT_REGION).unwrap();
        let hosts: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.host.as_str()).collect();
        assert_eq!(hosts.len(), 7);
        assert_eq!(hosts[0], "bootstrap.us-east-1.mbedcloud.com");
        assert!(
            endpoints.iter().all(|endpoint| endpoint.coap != endpoint.edge_only && !endpoint.reached_by.is_empty())
        );
        assert!(region("nowhere").is_none());
    }

    #[test]
    fn a_host_can_be_an_address() {
        let mut endpoint = region(DEFAULT_REGION).unwrap().remove(0);
        assert_eq!(endpoint.address(), None);
        endpoint.host = "[2001:db8::1]".into();
        assert_eq!(endpoint.address(), Some("2001:db8::1".parse().unwrap()));
    }
}
