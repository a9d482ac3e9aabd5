package auth

import (
	"fmt"
	"slices"
	"strings"
)

// Scope is a right that a key carries.
type Scope string

// The scopes of the LicenseKit contract, and [ReportWrite], which lets
// reporting data in. [Admin] satisfies every other.
const (
	Admin        Scope = "admin"
	ProductRead  Scope = "product:read"
	ProductWrite Scope = "product:write"
	LicenseRead  Scope = "license:read"
	LicenseWrite Scope = "license:write"
	DeviceWrite  Scope = "device:write"
	EventRead    Scope = "event:read"
	WebhookWrite Scope = "webhook:write"
	ReportRead   Scope = "report:read"
	ReportExport Scope = "report:export"
	ReportWrite  Scope = "report:write"
)

// Scopes lists the valid scopes, admin first.
func Scopes() []Scope {
	return []Scope{
		Admin, ProductRead, ProductWrite, LicenseRead, LicenseWrite, DeviceWrite,
		EventRead, WebhookWrite, ReportRead, ReportExport, ReportWrite,
	}
}

// ParseScope accepts the exact name of a scope. Its error, a [*FieldError] for
// the field scopes, lists the valid ones.
func ParseScope(name string) (Scope, error) {
	valid := Scopes()
	if slices.Contains(valid, Scope(name)) {
		return Scope(name), nil
	}
	var names []string
	for _, scope := range valid {
		names = append(names, string(scope))
	}
	return "", &FieldError{Field: "scopes", Value: name, Problem: "must be one of " + strings.Join(names, ", ")}
}

// ScopeError reports a key that lacks the scope an action requires.
type ScopeError struct {
	Required Scope
}

func (e *ScopeError) Error() string { return fmt.Sprintf("requires %s", e.Required) }

// Allows reports whether the key's scopes cover the required one.
func (k Key) Allows(required Scope) bool {
	return slices.Contains(k.Scopes, required) || slices.Contains(k.Scopes, Admin)
}

// Require gives a [*ScopeError] unless the key's scopes cover the required one.
func (k Key) Require(required Scope) error {
	if k.Allows(required) {
		return nil
	}
	return &ScopeError{Required: required}
}
