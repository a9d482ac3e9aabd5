package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// fixedToken has the secret 00 01 02 … 1f. Its text was computed apart from
// this package's code: RFC 4648 base32 in lower case, and CRC32C.
var fixedToken = func() Token {
	var secret [32]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	return tokenOf(secret)
}()

const fixedText = "lkm_aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypqs7jikfa"

func TestTokenFormat(t *testing.T) {
	if got := fixedToken.Reveal(); got != fixedText {
		t.Errorf("Reveal() = %q, want %q", got, fixedText)
	}
	parsed, err := ParseToken(fixedText)
	if err != nil {
		t.Fatal(err)
	}
	if parsed.secret() != fixedToken.secret() {
		t.Errorf("ParseToken gives the secret %x, want %x", parsed.secret(), fixedToken.secret())
	}
	const wantHash = "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"
	if got := fixedToken.hash(); got != wantHash {
		t.Errorf("hash() = %s, want %s", got, wantHash)
	}
	if got, want := (Token{}).Reveal(), ""; got != want {
		t.Errorf("zero Token: Reveal() = %q, want %q", got, want)
	}
}

func TestParseTokenErrors(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"empty":           {"", ErrMissing},
		"blank":           {" ", ErrMalformed},
		"prefix alone":    {"lkm_", ErrMalformed},
		"upper case":      {strings.ToUpper(fixedText), ErrMalformed},
		"other prefix":    {"lks_" + fixedText[4:], ErrMalformed},
		"cut":             {fixedText[:62], ErrMalformed},
		"no checksum":     {fixedText[:56], ErrMalformed},
		"longer":          {fixedText + "a", ErrMalformed},
		"line break":      {fixedText + "\n", ErrMalformed},
		"break inside":    {fixedText[:20] + "\n" + fixedText[21:], ErrMalformed},
		"with the scheme": {"Bearer " + fixedText, ErrMalformed},
		"unused bits set": {spareBits(), ErrMalformed},
		"other language":  {strings.Repeat("é", 31) + "a", ErrMalformed},
	} {
		if _, err := ParseToken(test.text); err != test.want {
			t.Errorf("%s: ParseToken(%q): error %v, want %v", name, test.text, err, test.want)
		}
	}
}

// spareBits spells fixedToken's secret with an unused bit set, and a checksum
// that is right for that spelling.
func spareBits() string {
	last := strings.IndexByte("abcdefghijklmnopqrstuvwxyz234567", fixedText[secretEnd-1])
	body := fixedText[:secretEnd-1] + string("abcdefghijklmnopqrstuvwxyz234567"[last|1])
	return body + checksum(body)
}

// Every byte value in every place, and every swap of neighbours: no such typo
// of this token is taken for another token.
func TestTokenTyposAreNoticed(t *testing.T) {
	for i := range len(fixedText) {
		for b := range 256 {
			typo := []byte(fixedText)
			typo[i] = byte(b)
			wantMalformed(t, fixedText, string(typo))
		}
	}
	wantSwapsNoticed(t, fixedText)
}

// The swap of the last secret and the first checksum character is the one that
// changes both sides of the comparison, so it is tried on many tokens.
func TestTokenSwapsAreNoticed(t *testing.T) {
	for range 2000 {
		wantSwapsNoticed(t, newToken().Reveal())
	}
}

func wantSwapsNoticed(t *testing.T, text string) {
	t.Helper()
	for i := range len(text) - 1 {
		typo := []byte(text)
		typo[i], typo[i+1] = typo[i+1], typo[i]
		wantMalformed(t, text, string(typo))
	}
}

func wantMalformed(t *testing.T, text, typo string) {
	t.Helper()
	if typo == text {
		return
	}
	if _, err := ParseToken(typo); err != ErrMalformed {
		t.Errorf("ParseToken(%q), a typo of %q: error %v, want %v", typo, text, err, ErrMalformed)
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add(fixedText)
	f.Add(newToken().Reveal())
	f.Add(spareBits())
	f.Add(fixedText[:62])
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		switch {
		case err == nil && token.Reveal() != text:
			t.Errorf("ParseToken(%q).Reveal() = %q", text, token.Reveal())
		case err != nil && (err == ErrMissing) != (text == ""):
			t.Errorf("ParseToken(%q): error %v", text, err)
		case err != nil && err != ErrMissing && err != ErrMalformed:
			t.Errorf("ParseToken(%q): error %v, want %v", text, err, ErrMalformed)
		}
		if err == nil {
			wantSwapsNoticed(t, text)
		}
	})
}

func TestNewTokensDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		text := newToken().Reveal()
		if len(text) != tokenLength || seen[text] {
			t.Fatalf("newToken() = %q: %d characters, want %d; seen before: %v", text, len(text), tokenLength, seen[text])
		}
		seen[text] = true
	}
}

// A token must not appear by accident, however deep it sits in what is printed.
func TestTokenIsRedacted(t *testing.T) {
	token := fixedToken
	type holder struct {
		Shown  Token
		hidden Token
		ptr    *Token
	}
	held := holder{token, token, &token}
	values := map[string]any{
		"token": token, "pointer": &token, "struct": held, "struct pointer": &held,
		"slice": []Token{token}, "map": map[string]Token{"a": token}, "error": fmt.Errorf("use %v", token),
	}
	for name, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%08b", "%p", "%T"} {
			wantRedacted(t, name+" as "+verb, fmt.Sprintf(verb, value))
		}
		wantRedacted(t, name+" as JSON", marshal(t, value))
		wantRedacted(t, name+" in a JSON log", logged(value, func(w *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(w, nil) }))
		wantRedacted(t, name+" in a text log", logged(value, func(w *bytes.Buffer) slog.Handler { return slog.NewTextHandler(w, nil) }))
	}
}

func TestTokenShowsItsPrefix(t *testing.T) {
	want := fixedText[:12] + "[redacted]"
	for name, got := range map[string]string{
		"String": fixedToken.String(),
		"%v":     fmt.Sprintf("%v", fixedToken),
		"%#v":    fmt.Sprintf("%#v", fixedToken),
		"slog":   fixedToken.LogValue().String(),
		"JSON":   strings.Trim(marshal(t, fixedToken), `"`),
	} {
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got, want := fmt.Sprint(Token{}), "[redacted]"; got != want {
		t.Errorf("zero Token prints %q, want %q", got, want)
	}
}

func wantRedacted(t *testing.T, how, output string) {
	t.Helper()
	rest := fixedText[publicLength:]
	secret := fixedToken.secret()
	decimal := strings.Trim(fmt.Sprint(secret[5:13]), "[]")
	for _, leak := range []string{rest[:8], rest[len(rest)-8:], hex.EncodeToString(secret[5:13]), strings.ToUpper(hex.EncodeToString(secret[5:13])), decimal, "0x5, 0x6, 0x7"} {
		if strings.Contains(output, leak) {
			t.Errorf("%s: %q contains %q of the secret", how, output, leak)
		}
	}
}

func marshal(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func logged(value any, handler func(*bytes.Buffer) slog.Handler) string {
	var out bytes.Buffer
	slog.New(handler(&out)).Info("issued", "value", value, slog.Group("g", "value", value))
	return out.String()
}

func TestErrorsDoNotRepeatTheToken(t *testing.T) {
	store, _ := newStore(t)
	typo := fixedText[:62] + "z"
	for _, text := range []string{fixedText, typo} {
		_, err := store.Authenticate(t.Context(), text, anywhere)
		if err == nil || strings.Contains(err.Error(), text[4:]) {
			t.Errorf("Authenticate: error %v, want one without the token", err)
		}
		if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrMalformed) {
			t.Errorf("Authenticate: error %v, want %v or %v", err, ErrUnknown, ErrMalformed)
		}
	}
}
