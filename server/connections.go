package server

import (
	"net"
	"net/http"
	"net/netip"
	"sync"

	"licensekit/auth"
)

// connections bounds how many connections clients hold at a time: all of them
// together, and each address, unless it is a trusted proxy, a quarter of that.
// One too many is closed before anything is read from it.
type connections struct {
	most    int // 0 for any number
	proxies []netip.Prefix

	mu      sync.Mutex
	open    map[net.Conn]string // by connection, where it counts; guarded by mu
	by      map[string]int      // guarded by mu
	refused int64               // guarded by mu
}

func newConnections(a Access) *connections {
	return &connections{most: a.Connections, proxies: a.TrustedProxies, open: map[net.Conn]string{}, by: map[string]int{}}
}

// watch is for http.Server.ConnState.
func (c *connections) watch(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if !c.admit(conn) {
			conn.Close() // net/http finds it closed, and tells so
		}
	case http.StateClosed, http.StateHijacked:
		c.leave(conn)
	}
}

func (c *connections) admit(conn net.Conn) bool {
	peer, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	each := max(c.most/4, 1)
	if err != nil || auth.Within(c.proxies, peer.Addr()) {
		each = c.most
	}
	name := neighbours(peer.Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most > 0 && (len(c.open) >= c.most || c.by[name] >= each) {
		c.refused++
		return false
	}
	c.open[conn] = name
	c.by[name]++
	return true
}

func (c *connections) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, admitted := c.open[conn]
	if !admitted {
		return
	}
	delete(c.open, conn)
	if c.by[name]--; c.by[name] == 0 {
		delete(c.by, name)
	}
}

// count gives how many are open, and how many were refused.
func (c *connections) count() (open int, refused int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open), c.refused
}
