import { Fragment } from "preact";

/** A name that may be a path: a line may break after each slash. */
export function Name({ text }: { text: string }) {
  const [first = "", ...rest] = text.split("/");
  return (
    <>
      {first}
      {rest.map((part, at) => (
        <Fragment key={at}>
          /<wbr />
          {part}
        </Fragment>
      ))}
    </>
  );
}
