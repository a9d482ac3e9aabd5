package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"
)

// knockAt opens a connection, and tells whether it was let in: then it is answered,
// and stays open.
func knockAt(t *testing.T, address string) (net.Conn, bool) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, false
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: licensekit\r\n\r\n") // who is not let in may notice here
	_, err = conn.Read(make([]byte, 1))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a connection is neither answered nor closed: %v", err)
	}
	return conn, err == nil
}

// An address holds a quarter of the connections, a trusted proxy all of them,
// and who leaves makes room.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		access Access
		most   int
	}{
		"an address": {Access{Connections: 12}, 3},
		"a proxy":    {Access{Connections: 5, TrustedProxies: networks(t, "127.0.0.1")}, 5},
	} {
		s := openSite(t, func(o *Options) { o.Access = test.access })
		s.serve(t)
		var last net.Conn
		for range test.most {
			conn, in := knockAt(t, s.address)
			if !in {
				t.Fatalf("%s: one of %d connections is refused", name, test.most)
			}
			last = conn
		}
		if _, in := knockAt(t, s.address); in {
			t.Errorf("%s: more than %d connections are let in", name, test.most)
		}
		eventually(t, "the refusal is counted", func() bool { open, refused := s.connections.count(); return open == test.most && refused == 1 })
		last.Close()
		eventually(t, "there is room again", func() bool { open, _ := s.connections.count(); return open == test.most-1 })
		resp, err := http.Get(s.url + "/health")
		if err != nil {
			t.Fatalf("%s: with room again: %v", name, err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// The owner's socket is not what strangers can fill.
func TestOwnerIsLetInAlways(t *testing.T) {
	t.Parallel()
	s := openSite(t, func(o *Options) { o.Access = Access{Connections: 1} })
	listener, dial := InProcess()
	s.serve(t, listener)
	knockAt(t, s.address)
	if _, in := knockAt(t, s.address); in {
		t.Error("a second connection is let in, of at most one")
	}
	if a := s.owned(dial).do(t, call{method: "GET", path: "/health"}); a.status != 200 {
		t.Errorf("the owner: %s; want status 200", a)
	}
}
