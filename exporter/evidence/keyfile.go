package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"licensekit/exporter/report"
)

// SigningKey signs for one purpose. Its secret is held in a closure, so that
// no log line or %v can print it.
type SigningKey struct {
	Public    PublicKey
	CreatedAt report.Instant
	sign      func(message []byte) []byte
}

const privateKeyBlock = "PRIVATE KEY"

// KeyPath is the file of a purpose's signing key: "<dir>/export.key".
func KeyPath(dir string, purpose Purpose) string {
	return filepath.Join(dir, string(purpose)+".key")
}

// LoadOrCreate gives the signing key of a purpose. Where there is none it makes
// one, durably, created at now; a key that is there is never replaced.
func LoadOrCreate(dir string, purpose Purpose, now time.Time) (*SigningKey, error) {
	key, err := Load(dir, purpose)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	path := KeyPath(dir, purpose)
	if err := createKey(path, purpose, now); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create key %s: %w", path, err)
	}
	if key, err = Load(dir, purpose); err == nil && purpose == ForExport {
		err = key.retire(dir) // see retiredDir
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Load reads the signing key of a purpose: one Ed25519 key, PKCS#8 in PEM, in
// a file that only its owner can read. Errors: fs.ErrNotExist.
func Load(dir string, purpose Purpose) (*SigningKey, error) {
	path := KeyPath(dir, purpose)
	key, err := readKey(path, purpose)
	if err == nil {
		err = distinct(dir, key)
	}
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	return key, nil
}

// distinct refuses a key that is also the key of another purpose. A file that
// can't be read is no concern of this purpose.
func distinct(dir string, key *SigningKey) error {
	for _, purpose := range []Purpose{ForExport, ForLog, ForWitness} {
		if purpose == key.Public.purpose {
			continue
		}
		other, err := readKey(KeyPath(dir, purpose), purpose)
		if err == nil && other.Public.key.Equal(key.Public.key) {
			return fmt.Errorf("%s holds the same key; each purpose needs its own", KeyPath(dir, purpose))
		}
	}
	return nil
}

func readKey(path string, purpose Purpose) (*SigningKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	// Windows has no mode bits; there the directory's access list protects it.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("others can get at it (mode %04o); run: chmod 600 %s", mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	return parseKey(text, purpose, info.ModTime())
}

// parseKey reads a key file. One that an operator made with other tools has no
// title; it is as old as its file.
func parseKey(text []byte, purpose Purpose, modified time.Time) (*SigningKey, error) {
	der, err := onlyBlock(text, privateKeyBlock)
	if err != nil {
		return nil, err
	}
	created := report.Instant(modified.UnixMilli())
	head, _, _ := bytes.Cut(text, []byte("-----BEGIN "))
	if line := strings.TrimSpace(string(head)); line != "" {
		written, at, ok := parseTitle(line)
		if !ok {
			return nil, fmt.Errorf("%.80q before the key is no title; without one, the file begins with -----BEGIN", line)
		}
		if err := sameText("the key's purpose", string(purpose), string(written)); err != nil {
			return nil, err
		}
		created = at
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	secret, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is %s, want an %s key", typeName(parsed), Algorithm)
	}
	return &SigningKey{
		Public:    PublicKey{purpose, secret.Public().(ed25519.PublicKey)},
		CreatedAt: created,
		sign:      func(message []byte) []byte { return ed25519.Sign(secret, message) },
	}, nil
}

// title is the line before the PEM block, which PEM readers pass over.
func title(purpose Purpose, created report.Instant) string {
	return fmt.Sprintf("licensekit %s key, created %s", purpose, report.FormatTime(int64(created)))
}

func parseTitle(line string) (purpose Purpose, created report.Instant, ok bool) {
	rest, product := strings.CutPrefix(line, "licensekit ")
	name, when, cut := strings.Cut(rest, " key, created ")
	ms, err := report.ParseTime(when)
	return Purpose(name), report.Instant(ms), product && cut && err == nil
}

// createKey makes a new key under a name that nothing has, or fails with
// fs.ErrExist.
func createKey(path string, purpose Purpose, now time.Time) error {
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return err
	}
	text := []byte(title(purpose, report.Instant(now.UnixMilli())) + "\n")
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der})...)
	return createDurably(path, text)
}
