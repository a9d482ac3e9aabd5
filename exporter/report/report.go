// Package report says what a report is: five kinds, each computed from one
// consistent state of the reporting data into one neutral Document, and the
// canonical form whose SHA-256 is the report's digest.
//
// # Promises
//
//   - Equal data gives equal bytes. A Document holds no clock, no export id
//     and nothing of the machine; its canonical form is RFC 8785 JSON.
//   - A Document's rows are a stream. Nothing here holds a whole section.
//   - What a reader needs to decode a file that carries no types (CSV, XLSX)
//     follows from kind and filters alone: see [Sections].
//
// # Refusals
//
// A total that leaves the range of int64 is an error ([ErrOverflow]), never a
// wrapped or rounded number. Text that is not valid UTF-8 is an error.
//
// The package reads its facts through [Source]; it knows neither the database
// nor HTTP.
package report

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Kind names one of the five reports of the LicenseKit contract.
type Kind string

// The report kinds, as the LicenseKit contract spells them.
const (
	UsageSummary           Kind = "usage-summary"
	UsageLedger            Kind = "usage-ledger"
	LicenseAudit           Kind = "license-audit"
	CustomerSummary        Kind = "customer-summary"
	SubscriptionSettlement Kind = "subscription-settlement"
)

// ErrOverflow reports a sum that does not fit int64. Narrower filters give
// sums that do.
var ErrOverflow = errors.New("a total exceeds the range of a 64-bit integer; narrow the filters")

// ParseKind accepts the name of a kind that this build computes.
func ParseKind(name string) (Kind, error) {
	if _, ok := definitions[Kind(name)]; ok {
		return Kind(name), nil
	}
	return "", &FilterError{Field: "report_kind", Value: name, Problem: "must be one of " + strings.Join(KindNames(), ", ")}
}

// KindNames lists the kinds that this build computes, in the contract's order.
func KindNames() []string {
	var names []string
	for _, kind := range []Kind{UsageSummary, UsageLedger, LicenseAudit, CustomerSummary, SubscriptionSettlement} {
		if _, ok := definitions[kind]; ok {
			names = append(names, string(kind))
		}
	}
	return names
}

// Digest is a SHA-256 value. Its text form is "sha256:" and 64 lower-case hex
// digits.
type Digest [sha256.Size]byte

// String gives the text form, "sha256:<hex>".
func (d Digest) String() string { return "sha256:" + d.Hex() }

// Hex gives the 64 hex digits alone, as in-toto and sha256sum write them.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads the text form and nothing else.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	digits, ok := strings.CutPrefix(text, "sha256:")
	if !ok || len(digits) != 2*len(d) || strings.ToLower(digits) != digits {
		return d, fmt.Errorf("digest %q: want sha256: and 64 lower-case hex digits", text)
	}
	if _, err := hex.Decode(d[:], []byte(digits)); err != nil {
		return d, fmt.Errorf("digest %q: %w", text, err)
	}
	return d, nil
}

// MarshalText writes the text form.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form and nothing else.
func (d *Digest) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDigest(string(text))
	return err
}

// DigestOf digests a text that is held in memory.
func DigestOf(text []byte) Digest { return sha256.Sum256(text) }
