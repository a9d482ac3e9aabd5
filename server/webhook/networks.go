package webhook

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// networks are those that requests may go to although they are not public.
type networks []netip.Prefix

// special are the addresses that are no one machine's on the public internet
// (IANA's registries of special-purpose addresses), by what they are.
var special = map[string][]netip.Prefix{
	"a loopback address":        prefixes("127.0.0.0/8", "::1/128"),
	"an address of this host":   prefixes("0.0.0.0/8", "::/128"),
	"a private address":         prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
	"a link-local address":      prefixes("169.254.0.0/16", "fe80::/10"),
	"a carrier's address":       prefixes("100.64.0.0/10"),
	"a multicast address":       prefixes("224.0.0.0/4", "ff00::/8"),
	"a reserved address":        prefixes("192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "64:ff9b:1::/48", "100::/64", "2001::/23", "5f00::/16"),
	"an address of examples":    prefixes("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
	"an address of a 6to4 host": prefixes("2002::/16", "192.88.99.0/24"),
}

var (
	globalIPv6 = netip.MustParsePrefix("2000::/3")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// notPublic says why an address is not public, "" if it is.
func notPublic(addr netip.Addr) string {
	addr = addr.Unmap()
	if addr.Zone() != "" {
		return "a link-local address"
	}
	if nat64.Contains(addr) { // it leads to the IPv4 address at its end
		tail := addr.As16()
		return notPublic(netip.AddrFrom4([4]byte(tail[12:])))
	}
	for what, all := range special {
		if slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return what
		}
	}
	if addr.Is6() && !globalIPv6.Contains(addr) {
		return "a reserved address"
	}
	return ""
}

func (allowed networks) has(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// judge says whether a request may go to an address, in the clear or encrypted.
func (allowed networks) judge(addr netip.Addr, encrypted bool) error {
	if allowed.has(addr) {
		return nil
	}
	if what := notPublic(addr); what != "" {
		return fmt.Errorf("%s is %s, and not of a network that --webhook-allow names", addr, what)
	}
	if !encrypted {
		return fmt.Errorf("%s is not of a network that --webhook-allow names, so it takes https", addr)
	}
	return nil
}

// dialer looks at the address that a connection is about to be made to. Names
// are resolved by then: one that resolves to something else a moment later gains
// nothing.
func (allowed networks) dialer(encrypted bool) *net.Dialer {
	return &net.Dialer{
		Timeout: dialTimeout,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("connect to %q: %w", address, err)
			}
			return allowed.judge(to.Addr(), encrypted)
		},
	}
}

const maxURL = 2048

// checkURL refuses what no request could be sent to. What a name stands for is
// judged when one is.
func (allowed networks) checkURL(text string) error {
	refuse := func(problem string) error { return &FieldError{"url", problem} }
	u, err := url.Parse(text)
	switch {
	case len(text) > maxURL:
		return refuse(fmt.Sprintf("is %d bytes long, of at most %d", len(text), maxURL))
	case err != nil || u.Hostname() == "" || u.Opaque != "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return refuse("is no URL such as https://hooks.example.com/licensekit")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("must begin with https://")
	case u.User != nil:
		return refuse("must not carry a user or a password")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return refuse("must have no fragment")
	case u.Scheme == "http" && len(allowed) == 0:
		return refuse("must begin with https://; http is for networks that serve --webhook-allow names")
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return refuse("has no port from 1 to 65535 behind its colon")
		}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := allowed.judge(addr, u.Scheme == "https"); err != nil {
			return refuse("leads to an address that is refused: " + err.Error())
		}
	}
	return nil
}

// originOf is the part of a URL that may be told: what follows may be a secret.
func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
