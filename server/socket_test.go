//go:build unix

package server

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// withOwner serves a data directory on its socket too, and gives the site as
// its owner sees it.
func withOwner(t *testing.T, options ...option) *site {
	t.Helper()
	s := openSite(t, options...)
	l, err := ListenOwner(s.opts.Data)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, l)
	return s.owned(func(ctx context.Context) (net.Conn, error) { return DialOwner(ctx, s.opts.Data) })
}

func permissions(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// Nobody but its owner can open the socket.
func TestSocketIsPrivate(t *testing.T) {
	old := syscall.Umask(0) // a careless one: the mode must not depend on it
	defer syscall.Umask(old)
	owner := withOwner(t)
	path := SocketPath(owner.opts.Data)
	if got, want := permissions(t, path), fs.ModeSocket|0o600; got != want {
		t.Errorf("mode of the socket %v, want %v", got, want)
	}
	if got, want := permissions(t, filepath.Dir(path)), fs.ModeDir|0o700; got != want {
		t.Errorf("mode of the data directory %v, want %v", got, want)
	}
	if a := owner.do(t, call{method: "GET", path: keysPath}); a.status != 200 {
		t.Errorf("as owner, without a token: %s; want status 200", a)
	}
}

// A data directory that others can enter still has a socket that is private,
// at every moment: it is made in tmp/ and moved.
func TestSocketInAnOpenDirectory(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	owner := withOwner(t, func(o *Options) { o.Data = data })
	if got, want := permissions(t, filepath.Join(data, "tmp")), fs.ModeDir|0o700; got != want {
		t.Errorf("mode of tmp %v, want %v", got, want)
	}
	if got, want := permissions(t, SocketPath(owner.opts.Data)), fs.ModeSocket|0o600; got != want {
		t.Errorf("mode of the socket %v, want %v", got, want)
	}
}

// A socket that a crash left behind is replaced; one that is closed is gone.
func TestStaleSocket(t *testing.T) {
	s := openSite(t)
	path := SocketPath(s.opts.Data)
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := DialOwner(t.Context(), s.opts.Data); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling a stale socket: %v, want %v", err, syscall.ECONNREFUSED)
	}
	l, err := ListenOwner(s.opts.Data)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, l)
	conn, err := DialOwner(t.Context(), s.opts.Data)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the stop: %v, want the socket gone", err)
	}
	if _, err := DialOwner(t.Context(), s.opts.Data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dialling after the stop: %v, want %v", err, fs.ErrNotExist)
	}
}

// A path longer than a socket's name may be works all the same.
func TestLongDataPath(t *testing.T) {
	data := filepath.Join(t.TempDir(), strings.Repeat("long-directory-name/", 60), "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	owner := withOwner(t, func(o *Options) { o.Data = data })
	if a := owner.do(t, call{method: "GET", path: exportsPath}); a.status != 200 {
		t.Errorf("over the socket of a path of %d bytes: %s; want status 200", len(data), a)
	}
}
