package auth

import (
	"errors"
	"net/netip"
	"slices"
)

// parseNetworks reads CIDRs and bare addresses into masked prefixes, without
// repeats and never nil. Errors: [*FieldError] for allowed_cidrs.
func parseNetworks(texts []string) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		network, err := ParseNetwork(text)
		if err != nil {
			return nil, &FieldError{Field: "allowed_cidrs", Value: text, Problem: err.Error()}
		}
		if !slices.Contains(networks, network) {
			networks = append(networks, network)
		}
	}
	return networks, nil
}

// ParseNetwork reads a CIDR or a bare address into a masked prefix.
func ParseNetwork(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, errors.New("must be a network such as 192.0.2.0/24 or 2001:db8::/32, or an address without a zone")
		}
		network = netip.PrefixFrom(addr, addr.BitLen())
	}
	if network.Addr().Is4In6() {
		return unmapNetwork(network)
	}
	return network.Masked(), nil
}

// unmapNetwork turns ::ffff:192.0.2.0/120 into 192.0.2.0/24. Addresses are
// unmapped before they are matched, so the mapped form would let nobody in.
func unmapNetwork(network netip.Prefix) (netip.Prefix, error) {
	if network.Bits() < 96 {
		return netip.Prefix{}, errors.New("reaches beyond the IPv4-mapped addresses; want /96 or longer, or the IPv4 network itself")
	}
	return netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-96).Masked(), nil
}

// admits reports whether the key works from an address. A key without networks
// works from everywhere, the zero Addr of a local socket included; a key with
// networks does not work from the zero Addr. Zones are ignored: a prefix has none.
func (k Key) admits(from netip.Addr) bool {
	return len(k.AllowedCIDRs) == 0 || Within(k.AllowedCIDRs, from)
}

// Within reports whether one of the networks, as [ParseNetwork] gives them,
// holds an address. None holds the zero Addr.
func Within(networks []netip.Prefix, from netip.Addr) bool {
	from = from.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(from) })
}
