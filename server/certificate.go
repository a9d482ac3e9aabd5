package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"
)

// Certificate is a TLS certificate and its key in PEM files. While a server
// uses it, the files are looked at again every few seconds, and read again when
// they have changed: a renewed certificate needs no restart.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.RWMutex
	current *tls.Certificate // guarded by mu
	read    fileStamp        // of the files that were last tried; guarded by mu
}

// fileStamp tells files apart that were written one after the other.
type fileStamp [2]struct {
	modified time.Time
	size     int64
}

// LoadCertificate reads a certificate for the first time. Errors: of files that
// can't be read, that hold no certificate or key, or that don't belong together.
func LoadCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log}
	c.read = c.stamp() // before the files, so that a change meanwhile is seen later
	var err error
	if c.current, err = c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Certificate) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.warn(pair.Leaf)
	return &pair, nil
}

// warn tells of what works but should not be.
func (c *Certificate) warn(leaf *x509.Certificate) {
	if now := time.Now(); now.After(leaf.NotAfter) {
		c.log.Warn("the certificate has expired", "file", c.certFile, "on", leaf.NotAfter)
	}
	if info, err := os.Stat(c.keyFile); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0 {
		c.log.Warn("the certificate's key can be read by everybody on this machine", "file", c.keyFile, "mode", info.Mode().Perm())
	}
}

// Reload reads the files again. If they are no good, the certificate stays as
// it was.
func (c *Certificate) Reload() error {
	read := c.stamp()
	pair, err := c.load()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = read
	if err != nil {
		return fmt.Errorf("the certificate stays as it was: %w", err)
	}
	c.current = pair
	return nil
}

// reloadPause is how often the files are looked at.
const reloadPause = 5 * time.Second

// watch reloads the files whenever they change, until ctx ends.
func (c *Certificate) watch(ctx context.Context) {
	ticker := time.NewTicker(reloadPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if c.changed() {
				c.ReloadAndTell()
			}
		}
	}
}

// ReloadAndTell reloads the files, and tells the log how that went.
func (c *Certificate) ReloadAndTell() {
	if err := c.Reload(); err != nil {
		c.log.Error("reload certificate", "error", err)
		return
	}
	c.log.Info("certificate reloaded", "file", c.certFile, "until", c.get().Leaf.NotAfter)
}

func (c *Certificate) changed() bool {
	now := c.stamp()
	c.mu.RLock()
	defer c.mu.RUnlock()
	return now != c.read
}

// stamp is that of the files now; a file that is not there has none.
func (c *Certificate) stamp() (s fileStamp) {
	for i, file := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(file); err == nil {
			s[i].modified, s[i].size = info.ModTime(), info.Size()
		}
	}
	return s
}

func (c *Certificate) get() *tls.Certificate {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.current
}

// config is for TLS 1.3, and for 1.2 with ciphers that are as good.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
