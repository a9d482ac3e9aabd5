package report

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gowebpki/jcs"
)

// The examples of RFC 8785, sections 3.2.2 to 3.2.4 and the like.
func TestCanonicalJSONExamples(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"primitives", `{
			"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
			"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
			"literals": [null, true, false]}`,
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],` +
				`"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{"member order", `{
			"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
			"1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
			"\u00f6": "Latin Small Letter O With Diaeresis"}`,
			`{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis",` +
				`"€":"Euro Sign","` + "\U0001F600" + `":"Emoji: Grinning Face","` + "\uFB33" + `":"Hebrew Letter Dalet With Dagesh"}`},
		{"nesting", `{"1": {"f": {"f": "hi", "F": 5}, "\n": 56.0}, "10": {}, "": "empty", "a": {}, "111": [{"e": "yes", "E": "no"}], "A": {}}`,
			`{"":"empty","1":{"\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}`},
		{"no normalisation", `{"Unnormalized Unicode": "A\u030a"}`, "{\"Unnormalized Unicode\":\"A\u030a\"}"},
		{"array order", `[56, {"d": true, "10": null, "1": []}]`, `[56,{"1":[],"10":null,"d":true}]`},
		{"what encoding/json escapes", `"<&>\u2028\u2029"`, "\"<&>\u2028\u2029\""},
	}
	for _, test := range tests {
		if got, err := CanonicalJSON(json.RawMessage(test.input)); err != nil || string(got) != test.want {
			t.Errorf("%s: CanonicalJSON = %s, %v\nwant %s", test.name, got, err, test.want)
		}
	}
}

// numberSamples are those of RFC 8785, appendix B: the bits of a double and
// its text, "" for a value that JSON can't hold.
var numberSamples = []struct {
	bits uint64
	want string
}{
	{0x0000000000000000, "0"},
	{0x8000000000000000, "0"},
	{0x0000000000000001, "5e-324"},
	{0x8000000000000001, "-5e-324"},
	{0x7fefffffffffffff, "1.7976931348623157e+308"},
	{0xffefffffffffffff, "-1.7976931348623157e+308"},
	{0x4340000000000000, "9007199254740992"},
	{0xc340000000000000, "-9007199254740992"},
	{0x4430000000000000, "295147905179352830000"},
	{0x7fffffffffffffff, ""},
	{0x7ff0000000000000, ""},
	{0x44b52d02c7e14af5, "9.999999999999997e+22"},
	{0x44b52d02c7e14af6, "1e+23"},
	{0x44b52d02c7e14af7, "1.0000000000000001e+23"},
	{0x444b1ae4d6e2ef4e, "999999999999999700000"},
	{0x444b1ae4d6e2ef4f, "999999999999999900000"},
	{0x444b1ae4d6e2ef50, "1e+21"},
	{0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
	{0x3eb0c6f7a0b5ed8d, "0.000001"},
	{0x41b3de4355555553, "333333333.3333332"},
	{0x41b3de4355555554, "333333333.33333325"},
	{0x41b3de4355555555, "333333333.3333333"},
	{0x41b3de4355555556, "333333333.3333334"},
	{0x41b3de4355555557, "333333333.33333343"},
	{0xbecbf647612f3696, "-0.0000033333333333333333"},
	{0x43143ff3c1cb0959, "1424953923781206.2"},
}

func TestCanonicalJSONNumbers(t *testing.T) {
	for _, sample := range numberSamples {
		got, err := CanonicalJSON(math.Float64frombits(sample.bits))
		if string(got) != sample.want || (err == nil) != (sample.want != "") {
			t.Errorf("CanonicalJSON of the double %016x = %s, %v; want %q", sample.bits, got, err, sample.want)
		}
	}
}

// A report's numbers are integers. Of appendix B the zero applies, and ±2^53
// as the first integers beyond those that JSON holds exactly (RFC 7493).
func TestIntegers(t *testing.T) {
	tests := []struct {
		v    int64
		want string
	}{
		{0, "0"}, {-1, "-1"}, {Null, "null"},
		{MaxAmount, "9007199254740991"}, {-MaxAmount, "-9007199254740991"},
		{MaxAmount + 1, `"9007199254740992"`}, {-MaxAmount - 1, `"-9007199254740992"`},
		{math.MaxInt64, `"9223372036854775807"`}, {Null + 1, `"-9223372036854775807"`},
	}
	for _, test := range tests {
		if got := string(appendInteger(nil, test.v)); got != test.want {
			t.Errorf("integer %d is written %s, want %s", test.v, got, test.want)
		}
		if test.v == Null {
			continue
		}
		in := &scanner{r: strings.NewReader(test.want + ",")}
		if got, err := in.integer(); err != nil || got != test.v {
			t.Errorf("integer %s is read as %d, %v", test.want, got, err)
		}
	}
}

// The streaming writer of strings against the library, for each rune.
func TestAppendStringIsRFC8785(t *testing.T) {
	for first := rune(0); first < 0x11000; first += 0x80 {
		var text strings.Builder
		for r := first; r < first+0x80; r++ {
			if r < 0xD800 || r > 0xDFFF {
				text.WriteRune(r)
			}
		}
		checkString(t, text.String())
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2_000 {
		checkString(t, randomText(random))
	}
}

func checkString(t *testing.T, text string) {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := jcs.Transform(quoted)
	if err != nil {
		t.Fatal(err)
	}
	if got := AppendString(nil, text); string(got) != string(want) {
		t.Fatalf("AppendString(%q) = %s, want %s", text, got, want)
	}
}
