package command

import (
	"slices"
	"strings"
	"testing"
)

// TestCandidates shows what is offered where. The last word of each line is to
// be completed; "_" stands for one that has not begun.
func TestCandidates(t *testing.T) {
	for _, test := range []struct {
		line string
		want string // some of the candidates; "only " before them for all
	}{
		{"exp", "only export"},
		{"_", "serve verify export completion version"},
		{"export _", "create list show download bundle"},
		{"help export sh", "only show"},
		{"export create --k", "only --kind --keys"},
		{"export create -", "--kind --json --help --output"},
		{"export create --kind usage-", "only usage-summary usage-ledger"},
		{"export create --kind=usage-s", "only --kind=usage-summary"},
		{"export create --format _", "only json csv xlsx pdf"},
		{"import --format c", "only csv cloudevents"},
		{"import --as act", "only activities"},
		{"import --as activities _", "only :files"},
		{"export list --status r", "only ready"},
		{"token issue --scope report:e", "only report:export"},
		{"report _", "usage-summary license-audit"},
		{"report usage-summary --filter b", "only bucket="},
		{"report usage-ledger --filter b", "only"},
		{"report usage-summary --filter bucket=", "only bucket=1h bucket=1d"},
		{"report --filter group_by=customer_id,f", "only group_by=customer_id,feature_code"},
		{"report --filter group_by=act", "only group_by=action"},
		{"export create --kind license-audit --filter lic", "only license_id="},
		{"report usage-summary x", "only"},
		{"verify --key _", "only :files"},
		{"verify --key=k", "only :files"},
		{"verify --trust _", "only :dirs"},
		{"verify --key k.pem _", "only :files"},
		{"verify -- --k", "only :files"},
		{"export download -o _", "only :files"},
		{"serve --paper L", "only Letter"},
		{"completion _", "only bash fish zsh"},
		{"frob _", ""},
		{"export show _", "only"},
	} {
		words := strings.Fields(test.line)
		if last := len(words) - 1; words[last] == "_" {
			words[last] = ""
		}
		var got []string
		for _, c := range candidates((&Env{}).tree(), words) {
			got = append(got, c.word)
		}
		all, only := strings.CutPrefix(test.want, "only")
		want := strings.Fields(all)
		for _, word := range want {
			if !slices.Contains(got, word) {
				t.Errorf("%q: got %q, want %s among them", test.line, got, word)
			}
		}
		if only && len(got) != len(want) {
			t.Errorf("%q: got %q, want %q", test.line, got, want)
		}
	}
}
