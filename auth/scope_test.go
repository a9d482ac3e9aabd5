package auth

import (
	"errors"
	"strings"
	"testing"
)

func TestAllows(t *testing.T) {
	for _, held := range Scopes() {
		key := Key{Scopes: []Scope{held}}
		for _, required := range Scopes() {
			want := held == required || held == Admin
			if got := key.Allows(required); got != want {
				t.Errorf("key with %s: Allows(%s) = %v, want %v", held, required, got, want)
			}
			wantRequire(t, key, required, want)
		}
	}
	if (Key{}).Allows(ReportRead) {
		t.Error("key without scopes: Allows(report:read) = true, want false")
	}
}

func wantRequire(t *testing.T, key Key, required Scope, allowed bool) {
	t.Helper()
	err := key.Require(required)
	if allowed {
		if err != nil {
			t.Errorf("key with %s: Require(%s): %v, want nil", key.Scopes, required, err)
		}
		return
	}
	var denied *ScopeError
	if !errors.As(err, &denied) || denied.Required != required || err.Error() != "requires "+string(required) {
		t.Errorf("key with %s: Require(%s): %v, want a ScopeError that names it", key.Scopes, required, err)
	}
}

func TestParseScope(t *testing.T) {
	for _, name := range strings.Fields("admin product:read product:write license:read license:write device:write event:read webhook:write report:read report:export report:write") {
		if got, err := ParseScope(name); err != nil || got != Scope(name) {
			t.Errorf("ParseScope(%q) = %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "Admin", "admin ", "report", "report:*", "report:delete"} {
		_, err := ParseScope(name)
		var field *FieldError
		if !errors.As(err, &field) || field.Field != "scopes" || field.Value != name {
			t.Errorf("ParseScope(%q): error %v, want a FieldError of scopes", name, err)
			continue
		}
		for _, valid := range Scopes() {
			if !strings.Contains(err.Error(), string(valid)) {
				t.Errorf("ParseScope(%q): error %q does not list %s", name, err, valid)
			}
		}
	}
}
