package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of sessions.
const (
	idleTime    = time.Hour
	sessionTime = 12 * time.Hour
	maxSessions = 10_000
)

// csrfField is the form field that carries a session's secret.
const csrfField = "form_token"

// session is somebody who signed in.
type session struct {
	hash  [sha256.Size]byte // of the cookie's value
	keyID string
	csrf  string // in each of its forms
	began time.Time
	used  time.Time // guarded by sessions.mu

	mu   sync.Mutex
	sent []string // the newest of its forms that may be sent once; guarded by mu
}

// owns tells whether a form carries this session's secret.
func (s *session) owns(secret string) bool {
	return subtle.ConstantTimeCompare([]byte(s.csrf), []byte(secret)) == 1
}

// maxSent is how many forms a session remembers.
const maxSent = 100

// first tells whether a form that may be sent once is sent for the first time.
func (s *session) first(form string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if form == "" || slices.Contains(s.sent, form) {
		return false
	}
	if len(s.sent) == maxSent {
		s.sent = slices.Delete(s.sent, 0, 1)
	}
	s.sent = append(s.sent, form)
	return true
}

// sessions are kept in memory alone, by the hash of their cookie: looking one
// up takes a time that says nothing of the cookie.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex
	live map[[sha256.Size]byte]*session // guarded by mu
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, live: map[[sha256.Size]byte]*session{}}
}

// begin makes a session and gives its cookie's value.
func (s *sessions) begin(keyID string) (*session, string) {
	cookie := secret()
	now := s.now()
	made := &session{hash: sha256.Sum256([]byte(cookie)), keyID: keyID, csrf: secret(), began: now, used: now}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.live) >= maxSessions {
		s.makeRoom(now)
	}
	s.live[made.hash] = made
	return made, cookie
}

// secret is 256 random bits as text.
func secret() string {
	return rand.Text() + rand.Text()
}

// makeRoom drops what has ended, or else what was used least recently.
func (s *sessions) makeRoom(now time.Time) {
	var oldest *session
	for hash, one := range s.live {
		if one.over(now) {
			delete(s.live, hash)
		} else if oldest == nil || one.used.Before(oldest.used) {
			oldest = one
		}
	}
	if len(s.live) >= maxSessions {
		delete(s.live, oldest.hash)
	}
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.used) >= idleTime || now.Sub(s.began) >= sessionTime
}

// find gives the session of a cookie's value and notes its use; nil if there
// is none, or it is over.
func (s *sessions) find(cookie string) *session {
	if cookie == "" {
		return nil
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.live[sha256.Sum256([]byte(cookie))]
	if found == nil || found.over(now) {
		if found != nil {
			delete(s.live, found.hash)
		}
		return nil
	}
	found.used = now
	return found
}

func (s *sessions) end(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, one.hash)
}

// The names of the cookie. Over TLS it has the prefix that browsers take for
// an order to keep it to this host and to TLS.
const (
	plainCookie  = "licensekit"
	secureCookie = "__Host-licensekit"
)

// cookieOf is the cookie's value, "" if there is none.
func cookieOf(r *http.Request) string {
	for _, name := range []string{secureCookie, plainCookie} {
		if cookie, err := r.Cookie(name); err == nil {
			return cookie.Value
		}
	}
	return ""
}

// overTLS tells whether the browser that sent a form speaks TLS: to this
// server, or to a proxy in front of it.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(r.Header.Get("Origin"), "https://")
}

// giveCookie gives the browser a session.
func giveCookie(w http.ResponseWriter, r *http.Request, value string) {
	cookie := newCookie(plainCookie, value)
	if overTLS(r) {
		cookie = newCookie(secureCookie, value)
	}
	http.SetCookie(w, cookie)
}

// takeCookie takes it away.
func takeCookie(w http.ResponseWriter) {
	for _, name := range []string{secureCookie, plainCookie} {
		cookie := newCookie(name, "")
		cookie.MaxAge = -1
		http.SetCookie(w, cookie)
	}
}

func newCookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, Secure: name == secureCookie, SameSite: http.SameSiteStrictMode,
	}
}
