package witness

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// example is the example of C2SP tlog-policy, with keys.
func example(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "log %s\n\n", logKey(t, testOrigin))
	for _, name := range []string{"X1", "X2", "X3"} {
		fmt.Fprintf(&b, "witness %s %s\n", name, keyOf(t, name))
	}
	b.WriteString("group X-witnesses 2 X1 X2 X3\n\n")
	for _, name := range []string{"Y1", "Y2", "Y3"} {
		fmt.Fprintf(&b, "\twitness  %s\t%s https://example.com/ \n", name, keyOf(t, name))
	}
	b.WriteString("group Y-witnesses any Y1 Y2 Y3\n # both\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n")
	return b.String()
}

func parsePolicy(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatalf("got %v, want a policy of %s", err, text)
	}
	return p
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	p := parsePolicy(t, example(t))
	if got, want := p.Quorum(), "2 of (2 of (X1, X2, X3), 1 of (Y1, Y2, Y3))"; got != want {
		t.Errorf("got quorum %s, want %s", got, want)
	}
	if len(p.Logs()) != 1 || len(p.Witnesses()) != 6 {
		t.Errorf("got %d logs and %d witnesses, want 1 and 6", len(p.Logs()), len(p.Witnesses()))
	}
	for names, want := range map[string]bool{
		"": false, "X1 X2": false, "X1 Y1": false, "X1 X2 Y3": true, "X2 X3 Y1 Y2": true, "Y1 Y2 Y3": false, "X1 X2 Z": false,
	} {
		c := cosignedBy(t, strings.Fields(names)...)
		if got := p.Met(c.By); got != want {
			t.Errorf("cosigned by %q: got %t, want %t", names, got, want)
		}
	}
	none := parsePolicy(t, "quorum none\n")
	if !none.Met(nil) || none.Quorum() != "" {
		t.Errorf("quorum none: got %q and %t, want it met", none.Quorum(), none.Met(nil))
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	t.Parallel()
	sound := example(t)
	x1, a := keyOf(t, "X1"), logKey(t, testOrigin)
	for name, change := range map[string][2]string{
		"no quorum":                {"quorum X-and-Y\n", ""},
		"two quorums":              {"quorum X-and-Y\n", "quorum X-and-Y\nquorum X1\n"},
		"two quorums, one none":    {"quorum X-and-Y\n", "quorum none\nquorum X1\n"},
		"quorum of nobody":         {"quorum X-and-Y", "quorum X4"},
		"quorum of two":            {"quorum X-and-Y", "quorum X1 X2"},
		"used before it is there":  {"log ", "quorum X1\nlog "},
		"a word of another policy": {"log ", "origin x\nlog "},
		"word in capitals":         {"log ", "Log "},
		"a log twice":              {"\n\n", "\nlog " + a + "\n"},
		"no log":                   {"log " + a, "log"},
		"a log and more":           {"log " + a, "log " + a + " url more"},
		"a log's hash":             {"log " + testOrigin, "log x"},
		"a witness's key as log":   {"log " + a, "log " + x1.String()},
		"a log's key as witness":   {x1.String(), a},
		"a name twice":             {"witness X2", "witness X1"},
		"the name none":            {"witness X2", "witness none"},
		"none in a group":          {"2 X1 X2 X3", "2 X1 X2 none"},
		"a key twice":              {keyOf(t, "X2").String(), x1.String()},
		"a group named as one":     {"group Y-witnesses", "group X1"},
		"no member":                {"2 X1 X2 X3", "all"},
		"an unknown member":        {"2 X1 X2 X3", "2 X1 X2 X4"},
		"a member twice":           {"2 X1 X2 X3", "2 X1 X1 X3"},
		"a member of two groups":   {"any Y1 Y2 Y3", "any Y1 Y2 X1"},
		"itself":                   {"group X-and-Y all X-witnesses", "group X-and-Y all X-and-Y"},
		"none of them":             {"2 X1 X2 X3", "0 X1 X2 X3"},
		"more than there are":      {"2 X1 X2 X3", "4 X1 X2 X3"},
		"minus one":                {"2 X1 X2 X3", "-1 X1 X2 X3"},
		"leading zero":             {"2 X1 X2 X3", "02 X1 X2 X3"},
		"comment behind":           {"quorum X-and-Y", "quorum X-and-Y # yes"},
		"carriage return":          {"quorum X-and-Y\n", "quorum X-and-Y\r\n"},
		"form feed as space":       {"quorum X-and-Y", "quorum\fX-and-Y"},
		"no-break space":           {"quorum X-and-Y", "quorum\u00a0X-and-Y"},
		"NUL":                      {"# both", "# both\x00"},
		"DEL":                      {"# both", "# both\x7f"},
		"too many lines":           {"log ", strings.Repeat("witness a b\n", maxDefinitions+1) + "log "},
		"too long":                 {"# both", "# " + strings.Repeat("x", MaxPolicy)},
	} {
		text := strings.Replace(sound, change[0], change[1], 1)
		if text == sound {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if p, err := ParsePolicy([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, p)
		}
	}
	if p, err := ParsePolicy(nil); err == nil {
		t.Errorf("nothing: got %+v, want an error", p)
	}
	if _, err := ParsePolicy([]byte("quorum none\n\nlog x\n")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v, want an error that names line 3", err)
	}
}

// Names are bytes: they need not be text.
func TestPolicyNamesAreBytes(t *testing.T) {
	t.Parallel()
	p := parsePolicy(t, fmt.Sprintf("witness \xff\xfe %s\nwitness K %s\nwitness \u212a %s\ngroup all 3 \xff\xfe K \u212a\nquorum all", keyOf(t, "a"), keyOf(t, "b"), keyOf(t, "c")))
	if !p.Met(cosignedBy(t, "a", "b", "c").By) || p.Met(cosignedBy(t, "a", "b").By) {
		t.Error("got three names mixed up")
	}
}

// Whatever policy and cosignatures, torchwood's verifier says the same.
func TestPolicyLikeTorchwood(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	verdicts := map[bool]int{}
	for range 300 {
		text, names := randomPolicy(t, random)
		ours, theirs := parsePolicy(t, text), torchwoodPolicy(t, text)
		signers := slices.DeleteFunc(slices.Clone(names), func(string) bool { return random.IntN(2) == 0 })
		note := marshal(t, cosignedBy(t, append(signers, "stranger")...))
		c, err := Read(note, logVerifier(t), ours.Witnesses())
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = torchwood.VerifyCheckpoint(note, theirs)
		got, want := ours.Met(c.By), err == nil
		if got != want {
			t.Errorf("cosigned by %v: got %t, torchwood says %v of\n%s", signers, got, err, text)
		}
		verdicts[want]++
	}
	if verdicts[true] < 30 || verdicts[false] < 30 {
		t.Errorf("got verdicts %v, want many of both", verdicts)
	}
}

func torchwoodPolicy(t *testing.T, text string) torchwood.Policy {
	t.Helper()
	p, err := torchwood.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatalf("torchwood: got %v, want a policy of %s", err, text)
	}
	return p
}

// randomPolicy has up to six witnesses in groups of groups.
func randomPolicy(t *testing.T, random *rand.Rand) (text string, names []string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "log %s\n", logKey(t, testOrigin))
	for i := range 1 + random.IntN(6) {
		names = append(names, fmt.Sprint("w", i))
		fmt.Fprintf(&b, "witness w%d %s\n", i, keyOf(t, names[i]))
	}
	free := slices.Clone(names)
	for i := 0; len(free) > 1 || i == 0; i++ {
		n := 1 + random.IntN(len(free))
		threshold := []string{"any", "all", fmt.Sprint(1 + random.IntN(n))}[random.IntN(3)]
		fmt.Fprintf(&b, "group g%d %s %s\n", i, threshold, strings.Join(free[:n], " "))
		free = append(free[n:], fmt.Sprint("g", i))
	}
	fmt.Fprintf(&b, "quorum %s\n", free[0])
	return b.String(), names
}

// Who asks with a policy of another log, or of a log with another key, gets no.
func TestTorchwoodAsksForTheLog(t *testing.T) {
	t.Parallel()
	text := marshal(t, cosignedBy(t, "w0"))
	policy := torchwoodPolicy(t, fmt.Sprintf("log %s\nwitness w0 %s\nquorum w0\n", logKey(t, "licensekit/lki_other"), keyOf(t, "w0")))
	if _, _, err := torchwood.VerifyCheckpoint(text, policy); err == nil {
		t.Error("got no error, want one")
	}
	var _ note.Verifiers = policy
}
