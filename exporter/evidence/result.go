package evidence

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"

	"licensekit/exporter/report"
)

// Verdict is what a verification came to.
type Verdict string

// The verdicts.
const (
	// Verified: a pinned key signed the manifest, and all that could be
	// checked is as the manifest says.
	Verified Verdict = "VERIFIED"
	// Unanchored: everything fits together, but no key was pinned, so anybody
	// may have made it.
	Unanchored Verdict = "UNANCHORED"
	// Invalid: a step failed.
	Invalid Verdict = "INVALID"
	// Fork: a pinned log key signed two histories that can't both be true.
	Fork Verdict = "FORK"
)

// Outcome is what became of a step.
type Outcome string

// The outcomes of steps. What could not run has not passed.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	NotRun Outcome = "not run"
)

// Step is one check.
type Step struct {
	Number   int     `json:"step"`
	Name     string  `json:"name"`
	Outcome  Outcome `json:"status"`
	Detail   string  `json:"detail"`
	Expected string  `json:"expected,omitempty"` // of a failed comparison
	Found    string  `json:"found,omitempty"`
}

// Result tells what was checked and what came of it.
type Result struct {
	Verdict Verdict `json:"verdict"`
	Steps   []Step  `json:"steps"`
	// Statement is the manifest as it was signed, absent if INVALID or FORK: what is
	// in a file that failed is nobody's word.
	Statement json.RawMessage `json:"manifest,omitempty"`
	// Manifest is the statement, read; nil if INVALID or FORK.
	Manifest *Manifest `json:"-"`
	// Fork is there if FORK.
	Fork *ForkEvidence `json:"fork,omitempty"`
	// Checkpoints are what to keep as [Trust.Last] from now on, one of a log at
	// most, empty if nothing is new. [TrustStore.Keep] does that.
	Checkpoints [][]byte `json:"-"`
}

// ForkEvidence is two checkpoints that one key signed and that can't both be
// true. Who has the key can check that without anything else.
type ForkEvidence struct {
	Key  string `json:"verifier_key"`
	Kept string `json:"kept"`  // what was found good before
	Seen string `json:"found"` // what has come now
}

// Failed is the step that failed, nil if none did.
func (r *Result) Failed() *Step {
	for i := range r.Steps {
		if r.Steps[i].Outcome == Failed {
			return &r.Steps[i]
		}
	}
	return nil
}

// WriteText writes the result for people: the verdict, what it is about, and
// a line or more per step.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Verdict, r.sentence())
	if m := r.Manifest; m != nil {
		fmt.Fprintf(&b, "  export     %s, %s as %s, rows: %d\n", m.ExportID, m.Kind, m.Format, m.RowCount)
		fmt.Fprintf(&b, "  frozen at  %s, from ledger sequence %d\n", report.FormatTime(int64(m.FrozenAt)), m.AsOf)
		fmt.Fprintf(&b, "  instance   %q\n", m.Instance)
		fmt.Fprintf(&b, "  key        %s\n", m.KeyID)
	}
	for _, s := range r.Steps {
		s.write(&b)
	}
	if r.Fork != nil {
		r.Fork.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// write shows both checkpoints. They were read strictly, but an origin may hold
// anything that is no control character.
func (f *ForkEvidence) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nkey %s signed both of these; keep them, and ask who has the key:\n", printable(f.Key))
	for _, checkpoint := range []string{f.Kept, f.Seen} {
		b.WriteByte('\n')
		for line := range strings.Lines(checkpoint) {
			fmt.Fprintf(b, "    %s\n", printable(strings.TrimSuffix(line, "\n")))
		}
	}
}

func (s *Step) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %2d %-10s  %-7s  %s\n", s.Number, s.Name, s.Outcome, printable(s.Detail))
	if s.Expected != "" || s.Found != "" {
		fmt.Fprintf(b, "       expected  %s\n       found     %s\n", printable(s.Expected), printable(s.Found))
	}
}

// printable keeps a hostile file from speaking to the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

func (r *Result) sentence() string {
	switch r.Verdict {
	case Verified:
		return "signed by a pinned key, and unchanged since"
	case Unanchored:
		return "the parts fit together, but no key was pinned, so anybody may have made them"
	case Fork:
		return "the log shows one history to some and another to others"
	}
	if s := r.Failed(); s != nil {
		return fmt.Sprintf("step %d (%s) failed", s.Number, s.Name)
	}
	return "not to be trusted"
}
