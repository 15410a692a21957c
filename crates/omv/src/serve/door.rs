//! Who may come in. Pages of other sites must not reach a camera through the browser of somebody
//! who has this page open, and names that point here must not help them.
//!
//! ```text
//!   Host            an address of this machine, or a name that was allowed   (DNS rebinding)
//!   Origin          missing, or this very page                               (other sites)
//!   Sec-Fetch-Site  missing, or not another site                             (their images)
//!   token           in the URL, or as `Authorization: Bearer`                (other people)
//! ```

use std::net::{IpAddr, SocketAddr};

use hyper::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, ORIGIN};

/// Bytes of chance in a token.
const CHANCE: usize = 16;
/// Shortest token that may be chosen, characters.
const SHORTEST: usize = 16;

/// Why somebody may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The name in `Host` is not one of this server.
    Host,
    /// The request comes from another site's page.
    Site,
    /// The token is missing or wrong.
    Token,
}

impl Turned {
    /// A sentence for whoever reads the answer.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Host => {
                "This server does not answer to that name. Use the address that `omv serve` printed."
            }
            Self::Site => "Pages of other sites may not use this camera.",
            Self::Token => {
                "The token is missing or wrong. Use the whole address that `omv serve` printed."
            }
        }
    }
}

/// Decides who may come in.
pub struct Door {
    token: String,
    /// Names besides the addresses of this machine.
    names: Vec<String>,
}

impl Door {
    /// With a token of chance, or a chosen one.
    ///
    /// # Errors
    /// For a chosen token that is short or does not fit into a URL; where the system gives no
    /// random numbers.
    pub fn new(token: Option<&str>, names: &[String]) -> Result<Self, String> {
        let token = match token {
            Some(token) if token.len() < SHORTEST => {
                return Err(format!("a token has at least {SHORTEST} characters"));
            }
            Some(token)
                if !token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') =>
            {
                return Err("a token has letters, digits, - and _ only".into());
            }
            Some(token) => token.to_owned(),
            None => random()?,
        };
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self { token, names })
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Lets a request in, or says why not. `local` is where its connection arrived.
    ///
    /// # Errors
    /// The reason.
    pub fn enter(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        local: SocketAddr,
    ) -> Result<(), Turned> {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.ok_or(Turned::Host)?.to_ascii_lowercase();
        if !self.is_ours(&host, local) {
            return Err(Turned::Host);
        }
        if let Some(origin) = headers.get(ORIGIN) {
            let ours = format!("http://{host}");
            if !origin.as_bytes().eq_ignore_ascii_case(ours.as_bytes()) {
                return Err(Turned::Site);
            }
        }
        // Somebody may click on the address wherever it stands: a whole page of its own is no harm.
        let fetch = |name| headers.get(HeaderName::from_static(name));
        let opens = fetch("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
            && fetch("sec-fetch-dest").is_some_and(|dest| dest == "document");
        let site = fetch("sec-fetch-site");
        if !opens && site.is_some_and(|site| site != "same-origin" && site != "none") {
            return Err(Turned::Site);
        }
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let given = bearer.or_else(|| value(query, "token")).unwrap_or_default();
        if !same(given.as_bytes(), self.token.as_bytes()) {
            return Err(Turned::Token);
        }
        Ok(())
    }

    /// Whether a `Host` is this server: `localhost`, the address the connection came to, or a
    /// name that was allowed; with its port.
    fn is_ours(&self, host: &str, local: SocketAddr) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        if port != Some(local.port()) {
            return false;
        }
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>().map(|address| address.to_canonical());
        match address {
            Ok(address) => address == local.ip().to_canonical(),
            Err(_) if name == "localhost" => local.ip().to_canonical().is_loopback(),
            Err(_) => self.names.iter().any(|allowed| allowed == name),
        }
    }
}

/// The value of a name in the query of a URL, as it stands there.
pub fn value<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .into_iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// A piece of a path as it was meant: `%20` is a space. What is no such code stays.
pub fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Compares without telling by the time it takes where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Chance in lower-case hex.
pub fn random() -> Result<String, String> {
    let mut bytes = [0; CHANCE];
    getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn enter(host: &str, query: &str, headers: &[(&'static str, &str)]) -> Result<(), Turned> {
        let door = Door::new(Some(TOKEN), &["camera.lan".to_owned()]).unwrap();
        let mut map = HeaderMap::new();
        map.insert(HOST, host.parse().unwrap());
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        door.enter(&map, Some(query), "127.0.0.1:8000".parse().unwrap())
    }

    #[test]
    fn the_token_opens_in_the_url_and_as_a_header_and_nothing_else_does() {
        let good = format!("a=1&token={TOKEN}");
        assert_eq!(enter("127.0.0.1:8000", &good, &[]), Ok(()));
        assert_eq!(
            enter(
                "127.0.0.1:8000",
                "",
                &[("authorization", &format!("Bearer {TOKEN}"))]
            ),
            Ok(())
        );
        for bad in [
            "",
            "token=",
            "token=0123456789abcdee",
            "token=0123456789abcdef0",
            "xtoken=0123456789abcdef",
        ] {
            assert_eq!(
                enter("127.0.0.1:8000", bad, &[]),
                Err(Turned::Token),
                "{bad}"
            );
        }
    }

    #[test]
    fn only_names_of_this_server_are_answered_whatever_the_token() {
        let good = format!("token={TOKEN}");
        for host in [
            "localhost:8000",
            "127.0.0.1:8000",
            "LOCALHOST:8000",
            "camera.lan:8000",
        ] {
            assert_eq!(enter(host, &good, &[]), Ok(()), "{host}");
        }
        for host in [
            "evil.example:8000",
            "127.0.0.1",
            "127.0.0.1:8001",
            "localhost.evil.example:8000",
            "10.0.0.1:8000",
            "[::1]:8000",
            "x",
        ] {
            assert_eq!(enter(host, &good, &[]), Err(Turned::Host), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_turned_away_whatever_the_token() {
        let good = format!("token={TOKEN}");
        let enter = |name, value| enter("localhost:8000", &good, &[(name, value)]);
        assert_eq!(enter("origin", "http://localhost:8000"), Ok(()));
        assert_eq!(enter("sec-fetch-site", "same-origin"), Ok(()));
        assert_eq!(enter("sec-fetch-site", "none"), Ok(()));
        for origin in [
            "http://evil.example",
            "null",
            "https://localhost:8000",
            "http://localhost:8001",
        ] {
            assert_eq!(enter("origin", origin), Err(Turned::Site), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(enter("sec-fetch-site", site), Err(Turned::Site), "{site}");
        }
    }

    #[test]
    fn an_address_that_is_clicked_on_opens_and_one_that_is_framed_does_not() {
        let good = format!("token={TOKEN}");
        let with = |dest| {
            let headers = [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", dest),
            ];
            enter("localhost:8000", &good, &headers)
        };
        assert_eq!(with("document"), Ok(()));
        assert_eq!(with("iframe"), Err(Turned::Site));
    }

    #[test]
    fn tokens_differ_each_time_and_weak_ones_are_refused() {
        let token = || Door::new(None, &[]).unwrap().token().to_owned();
        assert_ne!(token(), token());
        assert_eq!(token().len(), 32);
        for weak in ["", "short", "0123456789abcde&", "0123456789 abcdef"] {
            assert!(Door::new(Some(weak), &[]).is_err(), "{weak}");
        }
    }
}
