package console

import (
	"testing"
	"time"
)

// There are never more sessions than the limit: the one that was used least
// recently makes room, those that are over first.
func TestSessionsAreBounded(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := newSessions(func() time.Time { return now })
	_, first := s.begin("key_a")
	now = now.Add(time.Second)
	_, second := s.begin("key_b")
	for range maxSessions - 2 {
		now = now.Add(time.Millisecond)
		s.begin("key_c")
	}
	s.find(first)
	s.begin("key_d")
	if s.find(first) == nil || s.find(second) != nil || len(s.live) != maxSessions {
		t.Errorf("of %d sessions the first is there: %v, the second: %v; want %d, the first alone", len(s.live), s.find(first) != nil, s.find(second) != nil, maxSessions)
	}
	now = now.Add(idleTime)
	s.begin("key_e")
	if len(s.live) != 1 {
		t.Errorf("an hour later there are %d sessions, want the new one alone", len(s.live))
	}
}

func TestLocalPath(t *testing.T) {
	for path, want := range map[string]string{
		"/console/exports?format=csv":   "/console/exports?format=csv",
		"":                              home,
		"/console/sign-in":              home,
		"//evil.example/console/":       home,
		"https://evil.example/console/": home,
		"/\\evil.example":               home,
		"/console/\\evil":               home,
		"/console/../api/v1":            "/console/../api/v1", // browsers resolve it on this server
		"/api/v1/reports":               home,
		"javascript:alert(1)":           home,
	} {
		if got := localPath(path); got != want {
			t.Errorf("localPath(%q) = %q, want %q", path, got, want)
		}
	}
}
