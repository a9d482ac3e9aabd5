package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"licensekit/auth"
)

// The headers in which a proxy gives a client's address.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded" // RFC 7239
)

// clientOf is the address that a request comes from: the connection's peer, or,
// if that is a trusted proxy, the last address in the header that is none. It is
// the zero address, which no network holds, where there is no peer or the proxy
// does not know.
//
// Each proxy adds the address that it sees at the end, so what stands before
// the last untrusted address is what that client made up. Only the header that
// the operator named is looked at: a proxy passes the other one on as it came.
func (a Access) clientOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := peer.Addr()
	if !auth.Within(a.TrustedProxies, client) {
		return client
	}
	for _, hop := range slices.Backward(hopsOf(a.ForwardedHeader, r.Header)) {
		if client = parseHop(hop); !auth.Within(a.TrustedProxies, client) {
			return client
		}
	}
	return client
}

// hopsOf gives the addresses of a header as they are written, the client's
// first.
func hopsOf(header string, h http.Header) (hops []string) {
	for _, line := range h.Values(header) {
		switch {
		case line == "":
		case header == Forwarded:
			hops = append(hops, forwardedHops(line)...)
		default:
			hops = append(hops, strings.Split(line, ",")...)
		}
	}
	return hops
}

// forwardedHops gives the addresses of a line of Forwarded, "" for an element
// without one. A line with a quote that is not closed has no address at all:
// what the proxy added could stand inside of a client's quotes.
func forwardedHops(line string) (hops []string) {
	elements, closed := splitQuoted(line, ',')
	if !closed {
		return []string{""}
	}
	for _, element := range elements {
		hop := ""
		pairs, _ := splitQuoted(element, ';')
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				hop = unquote(strings.TrimSpace(value))
			}
		}
		hops = append(hops, hop)
	}
	return hops
}

// splitQuoted splits a text where a separator stands outside of quotes, and
// tells whether all quotes are closed.
func splitQuoted(text string, separator byte) (parts []string, closed bool) {
	from, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch {
		case quoted && text[i] == '\\':
			i++
		case text[i] == '"':
			quoted = !quoted
		case text[i] == separator && !quoted:
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	return append(parts, text[from:]), !quoted
}

// unquote takes the quotes off a quoted string of HTTP; no address needs a
// backslash inside.
func unquote(text string) string {
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return text[1 : len(text)-1]
	}
	return text
}

// parseHop reads an address with or without a port, IPv6 with or without
// brackets; the zero Addr for anything else, such as "unknown".
func parseHop(text string) netip.Addr {
	text = strings.TrimSpace(text)
	if peer, err := netip.ParseAddrPort(text); err == nil {
		return peer.Addr().WithZone("")
	}
	if bare, ok := strings.CutPrefix(text, "["); ok {
		if text, ok = strings.CutSuffix(bare, "]"); !ok {
			return netip.Addr{}
		}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return addr.WithZone("")
}
