package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"licensekit/auth"
)

// pair is a certificate and its key in files.
type pair struct{ cert, key string }

// newPair makes the files of a certificate for 127.0.0.1 that says its name.
func newPair(t testing.TB, dir, name string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for file, block := range map[string]*pem.Block{p.cert: {Type: "CERTIFICATE", Bytes: der}, p.key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p pair) load(t testing.TB) *Certificate {
	t.Helper()
	c, err := LoadCertificate(p.cert, p.key, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// roots trusts the certificate that is in the file now.
func (p pair) roots(t testing.TB) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(p.cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// encrypted lets a site answer over TLS too, and gives it as seen that way.
func (s *site) encrypted(t testing.TB) (*site, *Certificate, pair) {
	t.Helper()
	files := newPair(t, t.TempDir(), "first.example")
	certificate := files.load(t)
	l, err := ListenTCP("127.0.0.1:0", certificate)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(t, l)
	address := l.Addr().String()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: files.roots(t)}, ForceAttemptHTTP2: true, DisableCompression: true,
	}}
	t.Cleanup(client.CloseIdleConnections)
	return &site{Server: s.Server, url: "https://" + address, address: address, client: client, tokens: s.tokens}, certificate, files
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s, _, files := openSite(t).encrypted(t)
	s.do(t, call{method: "GET", path: "/health"}).saying(t, "Strict-Transport-Security", "max-age=31536000")
	for name, test := range map[string]struct {
		version uint16
		suites  []uint16
		ok      bool
	}{
		"1.3":                         {tls.VersionTLS13, nil, true},
		"1.2":                         {tls.VersionTLS12, nil, true},
		"1.2 without an AEAD":         {tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, false},
		"1.2 without forward secrecy": {tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}, false},
		"1.1":                         {tls.VersionTLS11, nil, false},
		"1.0":                         {tls.VersionTLS10, nil, false},
	} {
		conn, err := tls.Dial("tcp", s.address, &tls.Config{
			RootCAs: files.roots(t), MinVersion: test.version, MaxVersion: test.version, CipherSuites: test.suites,
		})
		if (err == nil) != test.ok {
			t.Errorf("TLS %s: %v, want it accepted: %v", name, err, test.ok)
		}
		if err == nil {
			conn.Close()
		}
	}
	// Plain HTTP to the port of TLS gets no answer of the API.
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	text, _ := io.ReadAll(conn)
	if !bytes.HasPrefix(text, []byte("HTTP/1.0 400 ")) {
		t.Errorf("plain HTTP to TLS is answered %q, want status 400", text)
	}
}

// name gives the name in the certificate that a new connection is shown.
func shownName(t *testing.T, address string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // whose name is what is asked
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].DNSNames[0]
}

// A renewed certificate is shown without a restart; a bad one never is, and
// what is under way goes on.
func TestCertificateReload(t *testing.T) {
	t.Parallel()
	s, certificate, files := openSite(t).encrypted(t)
	dir := filepath.Dir(files.cert)
	s.do(t, call{method: "GET", path: "/health"})
	if certificate.changed() {
		t.Error("the files changed, and nobody touched them")
	}
	before := len(logs.bytes())
	for name, spoil := range map[string]func(){
		"key of another": func() { key := newPair(t, t.TempDir(), "x").key; os.Rename(key, files.key) },
		"half a file":    func() { os.Truncate(files.cert, 100) },
		"no file":        func() { os.Remove(files.cert) },
		"no key":         func() { newPair(t, dir, "second.example"); os.Remove(files.key) },
	} {
		spoil()
		if !certificate.changed() {
			t.Errorf("%s: the change is not seen", name)
		}
		certificate.ReloadAndTell()
		if got := shownName(t, s.address); got != "first.example" {
			t.Errorf("%s: shows %s, want the certificate that was good", name, got)
		}
		if certificate.changed() {
			t.Errorf("%s: what is bad is read over and over", name)
		}
	}
	if got := string(logs.bytes()[before:]); !strings.Contains(got, "the certificate stays as it was") {
		t.Error("the log does not say that the certificate stays as it was")
	}
	newPair(t, dir, "second.example")
	if !certificate.changed() {
		t.Error("the renewal is not seen")
	}
	certificate.ReloadAndTell()
	if got := shownName(t, s.address); got != "second.example" {
		t.Errorf("shows %s, want the renewed certificate", got)
	}
	s.do(t, call{method: "GET", path: "/health"}) // over the connection that was there before
}

func TestCertificateRefusals(t *testing.T) {
	t.Parallel()
	one, other := newPair(t, t.TempDir(), "a"), newPair(t, t.TempDir(), "b")
	log := slog.New(slog.DiscardHandler)
	if _, err := LoadCertificate(one.cert, other.key, log); err == nil || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("with another's key: %v, want it refused", err)
	}
	if _, err := LoadCertificate(one.key, one.key, log); err == nil {
		t.Error("a key where the certificate belongs is taken")
	}
	if _, err := LoadCertificate("gone.pem", one.key, log); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v, want %v", err, os.ErrNotExist)
	}
}

// HTTP/2 has the same routes, and the same patience: a body and a wait may take
// longer than that, and what stands still is let go.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	plain := openSite(t, workers(1))
	plain.limits.patience = 500 * time.Millisecond
	s, _, _ := plain.encrypted(t)
	resp, err := s.client.Get(s.url + "/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Fatalf("the protocol is %s, want HTTP/2", resp.Proto)
	}
	x := s.ready(t, jsonExport)
	a := s.get(t, exportsPath+"/"+x.ID+"/download")
	if a.status != 200 || a.header.Get("ETag") != `"`+x.ArtifactDigest+`"` {
		t.Errorf("download: %s, ETag %q; want the artifact", a, a.header.Get("ETag"))
	}
	upload := func(body io.Reader) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+activitiesPath, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+s.token(t, auth.ReportWrite))
		r.Header.Set("Content-Type", "text/csv")
		resp, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return hold(t, call{method: "POST", path: activitiesPath}, &http.Request{Method: r.Method, URL: r.URL, Header: r.Header}, resp)
	}
	reader, writer := io.Pipe()
	go func() {
		for i := 0; i < len(csvBody); i += 30 {
			time.Sleep(100 * time.Millisecond)
			io.WriteString(writer, csvBody[i:min(i+30, len(csvBody))])
		}
		writer.Close()
	}()
	var got account
	upload(reader).into(t, 200, &got)
	if got.Accepted != 2 {
		t.Errorf("a slow upload: %+v, want 2 accepted", got)
	}
	stalled, writer := io.Pipe()
	go io.WriteString(writer, csvBody)
	upload(stalled).want(t, 408, "REQUEST_TIMEOUT")
	writer.Close()
}
