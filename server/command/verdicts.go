package command

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"licensekit/exporter/evidence"
)

// verdicts show what verifications came to: JSON as they come, the steps of
// the only file, or a table of several.
type verdicts struct {
	env   *Env
	json  bool
	table *table // nil for a single file
}

func (env *Env) verdicts(json, several bool) *verdicts {
	v := &verdicts{env: env, json: json}
	if several && !json {
		v.table = env.table("FILE", "VERDICT", "EXPORT", "KIND", "ROWS", "FAILED STEP")
	}
	return v
}

// add shows a result, or the error in its place.
func (v *verdicts) add(path string, result *evidence.Result, problem error) error {
	switch {
	case v.json && problem != nil:
		return v.env.printJSON(struct {
			File  string `json:"file"`
			Error string `json:"error"`
		}{path, problem.Error()})
	case v.json:
		return v.env.printJSON(struct {
			File string `json:"file"`
			*evidence.Result
		}{path, result})
	case problem != nil:
		fmt.Fprintf(v.env.Stderr, "licensekit: %s\n", plain(problem.Error()))
		v.table.row(plain(path), "not checked", "", "", "", "")
		return nil
	case v.table == nil:
		return result.WriteText(v.env.Stdout)
	}
	v.table.row(verdictRow(path, result)...)
	return nil
}

// verdictRow tells of a manifest only where nothing is wrong with it.
func verdictRow(path string, result *evidence.Result) []string {
	cells := []string{plain(path), string(result.Verdict), "", "", "", ""}
	if m := result.Manifest; m != nil {
		cells[2], cells[3], cells[4] = m.ExportID, string(m.Kind), strconv.FormatInt(m.RowCount, 10)
	}
	if step := result.Failed(); step != nil {
		cells[5] = fmt.Sprintf("%d %s", step.Number, step.Name)
	}
	return cells
}

// plain quotes a text that would speak to the terminal: names of files come
// from others too.
func plain(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

func (v *verdicts) end() error {
	if v.table == nil {
		return nil
	}
	return v.table.print()
}

// verdictExit is the exit code of a result, nil where there was no checking.
func verdictExit(result *evidence.Result) int {
	if result == nil {
		return exitFailed
	}
	switch result.Verdict {
	case evidence.Verified:
		return 0
	case evidence.Unanchored:
		return exitUnanchored
	}
	return exitInvalid
}

// worseExit puts INVALID before what could not be checked, and both before
// UNANCHORED.
func worseExit(a, b int) int {
	for _, code := range []int{exitInvalid, exitFailed, exitUnanchored} {
		if a == code || b == code {
			return code
		}
	}
	return 0
}
