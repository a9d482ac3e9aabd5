package evidence

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

var born = time.Date(2026, 3, 1, 12, 0, 0, 5_000_000, time.UTC)

func TestLoadOrCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "keys")
	if _, err := Load(dir, ForExport); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("load before: got %v, want %v", err, fs.ErrNotExist)
	}
	made, err := LoadOrCreate(dir, ForExport, born)
	if err != nil {
		t.Fatalf("create: got %v, want a key", err)
	}
	again, err := LoadOrCreate(dir, ForExport, born.Add(time.Hour))
	if err != nil || again.Public.ID() != made.Public.ID() || int64(again.CreatedAt) != born.UnixMilli() {
		t.Errorf("again: got %+v, %v; want key %s of %s", again, err, made.Public.ID(), born)
	}
	other, err := LoadOrCreate(dir, ForLog, born)
	if err != nil || other.Public.ID() == made.Public.ID() || other.Public.Purpose() != ForLog {
		t.Errorf("for the log: got %+v, %v; want another key", other, err)
	}
	want := map[string]fs.FileMode{
		"export.key": 0o600, "log.key": 0o600,
		"retired": fs.ModeDir | 0o700, "retired/" + made.Public.ID() + ".pem": 0o600,
	}
	got := map[string]fs.FileMode{}
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			name, _ := filepath.Rel(dir, path)
			got[filepath.ToSlash(name)] = info.Mode()
		}
		return err
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got files %v, %v; want %v", got, err, want)
	}
}

// Whoever comes first makes the key; the others take it.
func TestCreateRace(t *testing.T) {
	dir := t.TempDir()
	ids := make([]string, 8)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			if key, err := LoadOrCreate(dir, ForExport, born); err != nil {
				t.Errorf("got %v, want a key", err)
			} else {
				ids[i] = key.Public.ID()
			}
		})
	}
	group.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("got keys %s and %s, want one", ids[0], id)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	home := t.TempDir()
	if _, err := LoadOrCreate(home, ForExport, born); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(KeyPath(home, ForExport))
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text []byte
		mode fs.FileMode
		want string
	}{
		"readable by a group": {good, 0o640, "chmod 600"},
		"readable by all":     {good, 0o604, "chmod 600"},
		"another purpose":     {bytes.Replace(good, []byte("export key"), []byte("log key"), 1), 0o600, `found "log"`},
		"two keys":            {append(bytes.Clone(good), good...), 0o600, "2 PEM blocks"},
		"cut":                 {good[:len(good)-10], 0o600, "PEM"},
		"empty":               {nil, 0o600, "no PEM block"},
		"RSA":                 {privatePEM(t, rsaKey), 0o600, "RSA"},
		"a public key":        {testKey(t, ForExport, "a").Public.PEM(), 0o600, "PUBLIC KEY"},
		"huge":                {bytes.Repeat([]byte("a"), 1<<20), 0o600, "more than"},
	} {
		dir := t.TempDir()
		path := KeyPath(dir, ForExport)
		if err := os.WriteFile(path, test.text, test.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		key, err := LoadOrCreate(dir, ForExport, born)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, %v; want an error with %q and the path", name, key, err, test.want)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, test.text) {
			t.Errorf("%s: got the file changed (%v), want it left alone", name, err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(KeyPath(dir, ForExport), 0o700); err != nil {
		t.Fatal(err)
	}
	if key, err := LoadOrCreate(dir, ForExport, born); err == nil {
		t.Errorf("a directory: got %v, want an error", key)
	}
}

// One secret in two files would make a log key of an export key.
func TestOneKeyForTwoPurposes(t *testing.T) {
	dir := t.TempDir()
	text := privatePEM(t, mustEd25519(t))
	for _, purpose := range []Purpose{ForExport, ForLog} {
		if err := os.WriteFile(KeyPath(dir, purpose), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, purpose := range []Purpose{ForExport, ForLog} {
		if key, err := Load(dir, purpose); err == nil || !strings.Contains(err.Error(), "same key") {
			t.Errorf("%s: got %v, %v; want an error about the same key", purpose, key, err)
		}
	}
}

// A key made with other tools has no title and is as old as its file.
func TestForeignKeyFile(t *testing.T) {
	dir := t.TempDir()
	path := KeyPath(dir, ForExport)
	if err := os.WriteFile(path, privatePEM(t, mustEd25519(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, born, born); err != nil {
		t.Fatal(err)
	}
	key, err := Load(dir, ForExport)
	if err != nil || int64(key.CreatedAt) != born.UnixMilli() {
		t.Errorf("got %v, %v; want a key of %s", key, err, born)
	}
}

// What stands before a key and is no title may have been one.
func TestDamagedTitle(t *testing.T) {
	key := privatePEM(t, mustEd25519(t))
	for _, line := range []string{"licejsekit export key, created 2026-01-02T03:04:05.000Z", "licensekit export key, created 2026-01-02", "x"} {
		if _, err := parseKey(append([]byte(line+"\n"), key...), ForExport, born); err == nil || !strings.Contains(err.Error(), "no title") {
			t.Errorf("%q: got %v, want an error that it is no title", line, err)
		}
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	secret := mustEd25519(t)
	key, err := parseKey(privatePEM(t, secret), ForExport, born)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		for _, value := range []any{key, *key} {
			text := fmt.Sprintf(verb, value)
			for _, form := range []string{fmt.Sprintf("%x", secret.Seed()), fmt.Sprintf("%v", []byte(secret.Seed()))[1:60], string(secret.Seed())} {
				if strings.Contains(text, form) {
					t.Errorf("%s: got %s, want no secret in it", verb, text)
				}
			}
		}
	}
}

func TestParsePublicKey(t *testing.T) {
	key := testKey(t, ForExport, "a").Public
	got, err := ParsePublicKey(ForExport, key.PEM())
	if err != nil || !reflect.DeepEqual(got, key) {
		t.Fatalf("got %+v, %v; want %+v", got, err, key)
	}
	if got, err := ParsePublicKey(ForExport, []byte("from the phone call\n"+strings.ReplaceAll(string(key.PEM()), "\n", "\r\n")+"\n\n")); err != nil || got.ID() != key.ID() {
		t.Errorf("with a note and CR LF: got %+v, %v; want key %s", got, err, key.ID())
	}
	block, _ := pem.Decode(key.PEM())
	with := func(change func(*pem.Block)) []byte {
		b := &pem.Block{Type: block.Type, Bytes: bytes.Clone(block.Bytes)}
		change(b)
		return pem.EncodeToMemory(b)
	}
	for name, test := range map[string]struct {
		text []byte
		want string
	}{
		"two keys":        {append(key.PEM(), testKey(t, ForExport, "b").Public.PEM()...), "2 PEM blocks"},
		"the same twice":  {append(key.PEM(), key.PEM()...), "2 PEM blocks"},
		"broken, then ok": {append(key.PEM()[:50], key.PEM()...), "2 PEM blocks"},
		"private":         {privatePEM(t, mustEd25519(t)), "private key"},
		"RSA":             {publicPEM(t, mustRSA(t)), "RSA"},
		"ECDSA":           {publicPEM(t, mustECDSA(t)), "ECDSA"},
		"X25519":          {publicPEM(t, mustX25519(t)), "ECDH"},
		"certificate":     {with(func(b *pem.Block) { b.Type = "CERTIFICATE" }), "CERTIFICATE"},
		"headers":         {with(func(b *pem.Block) { b.Headers = map[string]string{"A": "b"} }), "plain"},
		"31 bytes":        {with(func(b *pem.Block) { b.Bytes = b.Bytes[:43] }), "read public key"},
		"data after DER":  {with(func(b *pem.Block) { b.Bytes = append(b.Bytes, 0) }), "read public key"},
		"text after":      {append(key.PEM(), "rm -rf"...), "text after"},
		"raw base64":      {[]byte(base64.StdEncoding.EncodeToString(key.key)), "no PEM block"},
		"empty":           {nil, "no PEM block"},
		"huge":            {bytes.Repeat([]byte("-"), 1<<20), "more than"},
	} {
		if got, err := ParsePublicKey(ForExport, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %+v, %v; want an error with %q", name, got, err, test.want)
		}
	}
}

func TestKeyRecord(t *testing.T) {
	key := testKey(t, ForLog, "a")
	text, err := json.Marshal(key.Public.Record(Retired, 1767225600123))
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(map[string]string{
		"kid": key.Public.ID(), "algorithm": "Ed25519", "public_key": base64.StdEncoding.EncodeToString(key.Public.key),
		"status": "retired", "created_at": "2026-01-01T00:00:00.123Z", "purpose": "log", "pem": string(key.Public.PEM()),
	})
	if err != nil {
		t.Fatal(err)
	}
	var gotMap, wantMap map[string]string
	if err := errors.Join(json.Unmarshal(text, &gotMap), json.Unmarshal(want, &wantMap)); err != nil || !reflect.DeepEqual(gotMap, wantMap) {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
	if got := strings.ReplaceAll(key.Public.Fingerprint(), " ", ""); got != key.Public.ID() || len(strings.Fields(key.Public.Fingerprint())) != 8 {
		t.Errorf("got fingerprint %q, want id %s in eight groups", key.Public.Fingerprint(), key.Public.ID())
	}
}

func privatePEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der})
}

func publicPEM(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: der})
}

func mustEd25519(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustRSA(t *testing.T) any {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func mustECDSA(t *testing.T) any {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func mustX25519(t *testing.T) any {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key.PublicKey()
}
