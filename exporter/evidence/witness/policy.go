package witness

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// MaxPolicy bounds the text of a policy, in bytes.
const MaxPolicy = 256 << 10

// maxDefinitions bounds the lines of a policy that define something.
const maxDefinitions = 1000

// Policy says which logs' checkpoints are accepted, and whose cosignatures are
// asked for.
type Policy struct {
	logs      []string // verifier keys; empty if any log will do
	witnesses []Key
	names     map[string]string // of witnesses, by their verifier keys
	quorum    *node             // nil if none is asked for
}

// node is a witness, or a group of nodes of which a number is enough.
type node struct {
	name    string
	key     *Key // nil of a group
	need    int
	members []*node
	taken   bool // it is a member of a group
}

// Logs are the verifier keys of the logs that are accepted, none if any log is.
func (p *Policy) Logs() []string { return p.logs }

// Witnesses are the keys of all witnesses, also of those that the quorum does
// not ask for.
func (p *Policy) Witnesses() []Key { return p.witnesses }

// NameOf is the name that the policy gives to a witness.
func (p *Policy) NameOf(key Key) string { return p.names[key.text] }

// Quorum says what is asked for: "auditor", "2 of (w1, w2, w3)"; "" for nothing.
func (p *Policy) Quorum() string {
	if p.quorum == nil {
		return ""
	}
	return p.quorum.String()
}

// String is the node in words, by the names that the policy gives.
func (n *node) String() string {
	if n.key != nil {
		return n.name
	}
	var members []string
	for _, m := range n.members {
		members = append(members, m.String())
	}
	return fmt.Sprintf("%d of (%s)", n.need, strings.Join(members, ", "))
}

// Met tells whether these cosignatures are as many as the quorum asks for.
func (p *Policy) Met(by []Cosignature) bool { return p.quorum == nil || p.quorum.met(by) }

func (n *node) met(by []Cosignature) bool {
	if n.key != nil {
		return slices.ContainsFunc(by, func(c Cosignature) bool { return c.Witness.text == n.key.text })
	}
	have := 0
	for _, m := range n.members {
		if m.met(by) {
			have++
		}
	}
	return have >= n.need
}

// ParsePolicy reads a policy (C2SP tlog-policy).
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > MaxPolicy {
		return nil, fmt.Errorf("read policy: more than %d bytes", MaxPolicy)
	}
	r := policyReader{policy: &Policy{names: map[string]string{}}, names: map[string]*node{}}
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("read policy: line %d: %w", i+1, err)
		}
	}
	if !r.closed {
		return nil, errors.New(`read policy: there is no line "quorum <name>"; "quorum none" asks for no witness`)
	}
	return r.policy, nil
}

// policyReader reads a policy line by line.
type policyReader struct {
	policy  *Policy
	names   map[string]*node
	logKeys []string // the keys alone, to find one that stands twice
	closed  bool     // the quorum was read
	defined int
}

func (r *policyReader) line(line string) error {
	for _, c := range []byte(line) {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return fmt.Errorf("byte 0x%02x may not stand in a policy", c)
		}
	}
	words := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(words) == 0 || words[0][0] == '#' {
		return nil
	}
	if r.defined++; r.defined > maxDefinitions {
		return fmt.Errorf("more than %d definitions", maxDefinitions)
	}
	switch words[0] {
	case "log":
		return r.log(words[1:])
	case "witness":
		return r.witness(words[1:])
	case "group":
		return r.group(words[1:])
	case "quorum":
		return r.quorum(words[1:])
	}
	return fmt.Errorf("unknown word %.40q; want log, witness, group or quorum", words[0])
}

func (r *policyReader) log(words []string) error {
	if len(words) < 1 || len(words) > 2 {
		return errors.New("want: log <verifier key> [<url>]")
	}
	v, err := note.NewVerifier(words[0])
	if err != nil {
		return fmt.Errorf("key of log %.40q: %w", words[0], err)
	}
	public, err := base64.StdEncoding.Strict().DecodeString(words[0][len(v.Name())+len("+01234567+"):])
	if err != nil {
		return fmt.Errorf("key of log %s: %w", v.Name(), err)
	}
	if slices.Contains(r.logKeys, string(public)) {
		return fmt.Errorf("the key of log %s stands twice", v.Name())
	}
	r.logKeys = append(r.logKeys, string(public))
	r.policy.logs = append(r.policy.logs, words[0])
	return nil
}

func (r *policyReader) witness(words []string) error {
	if len(words) < 2 || len(words) > 3 {
		return errors.New("want: witness <name> <verifier key> [<url>]")
	}
	key, err := ParseKey(words[1])
	if err != nil {
		return err
	}
	if r.policy.witnesses, err = add(r.policy.witnesses, key); err != nil {
		return err
	}
	r.policy.names[key.text] = words[0]
	return r.define(&node{name: words[0], key: &key})
}

func (r *policyReader) group(words []string) error {
	if len(words) < 3 {
		return errors.New("want: group <name> <number, any or all> <name>…")
	}
	group := &node{name: words[0]}
	for _, name := range words[2:] {
		member, err := r.find(name)
		if err != nil {
			return err
		}
		if member.taken {
			return fmt.Errorf("%.40q is a member of a group already", name)
		}
		member.taken = true
		group.members = append(group.members, member)
	}
	var err error
	if group.need, err = threshold(words[1], len(group.members)); err != nil {
		return err
	}
	return r.define(group)
}

func threshold(word string, members int) (int, error) {
	switch word {
	case "any":
		return 1, nil
	case "all":
		return members, nil
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 1 || n > members || strconv.Itoa(n) != word {
		return 0, fmt.Errorf("%.40q is not any, all or a number from 1 to %d", word, members)
	}
	return n, nil
}

func (r *policyReader) quorum(words []string) error {
	if len(words) != 1 {
		return errors.New("want: quorum <name>")
	}
	if r.closed {
		return errors.New("there are two quorums")
	}
	r.closed = true
	if words[0] == "none" {
		return nil
	}
	var err error
	r.policy.quorum, err = r.find(words[0])
	return err
}

func (r *policyReader) define(n *node) error {
	if n.name == "none" || r.names[n.name] != nil {
		return fmt.Errorf("the name %.40q is taken", n.name)
	}
	r.names[n.name] = n
	return nil
}

func (r *policyReader) find(name string) (*node, error) {
	if n := r.names[name]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("no witness or group %.40q is defined above", name)
}
