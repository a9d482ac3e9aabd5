package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"licensekit/exporter/audit"
)

// The bounds of a request.
const (
	dialTimeout    = 5 * time.Second
	requestTimeout = 15 * time.Second
	maxAnswer      = 64 << 10 // bytes of a body that are read before the connection is given up
	maxErrorText   = 300      // bytes of what is kept of an error
	maxRetryAfter  = 24 * time.Hour
)

// sender makes requests.
type sender struct {
	clear, encrypted *http.Client
	agent            string
	timeout          time.Duration // of a request
}

func newSender(allowed networks, roots *x509.CertPool, version string) *sender {
	client := func(encrypted bool) *http.Client {
		return &http.Client{
			Transport: &http.Transport{
				DialContext:         allowed.dialer(encrypted).DialContext,
				TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: requestTimeout, IdleConnTimeout: 30 * time.Second,
				MaxResponseHeaderBytes: 16 << 10, DisableCompression: true, ForceAttemptHTTP2: true, MaxIdleConns: maxEndpoints,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &sender{clear: client(false), encrypted: client(true), agent: "licensekit/" + version, timeout: requestTimeout}
}

func (s *sender) close() {
	s.clear.CloseIdleConnections()
	s.encrypted.CloseIdleConnections()
}

// outcome is what an attempt came to.
type outcome struct {
	status     int           // of the answer; 0 for none
	err        error         // nil if it was received
	retryAfter time.Duration // 0 where the answer says nothing of it
}

// send makes one attempt.
func (s *sender) send(ctx context.Context, r record, event audit.Event, deliveryID string, now time.Time) outcome {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := s.request(ctx, r, event, deliveryID, now)
	if err != nil {
		return outcome{err: err}
	}
	client := s.encrypted
	if req.URL.Scheme == "http" {
		client = s.clear
	}
	resp, err := client.Do(req)
	if err != nil {
		return outcome{err: inner(err)}
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection can be used again; what it says does not matter
	got := outcome{status: resp.StatusCode, retryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		got.err = fmt.Errorf("the answer is %s: redirects are not followed", statusOf(resp))
	case resp.StatusCode >= 400:
		got.err = fmt.Errorf("the answer is %s", statusOf(resp))
	}
	return got
}

func statusOf(resp *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
}

func (s *sender) request(ctx context.Context, r record, event audit.Event, deliveryID string, now time.Time) (*http.Request, error) {
	body, err := json.Marshal(event)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the URL can't be asked")
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": s.agent,
		"X-Locksmith-Delivery-Id":    deliveryID,
		"X-Locksmith-Event-Sequence": strconv.FormatInt(event.Sequence, 10),
		"X-Locksmith-Event-Type":     string(event.Type),
		"X-Locksmith-Signature":      signature(r.Secret, now, deliveryID, body),
	} {
		req.Header.Set(name, value)
	}
	return req, nil
}

// inner takes the URL off an error of net/http, and cuts it to a length that can
// be kept.
func inner(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("there was no answer in time")
	}
	if text := err.Error(); len(text) > maxErrorText {
		return errors.New(strings.ToValidUTF8(text[:maxErrorText], "") + "…")
	}
	return err
}

// retryAfter reads the header of that name, seconds or a date (RFC 9110).
func retryAfter(text string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
